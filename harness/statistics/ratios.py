"""The ratio of two sums over questions, with an interval over questions."""

import numpy as np

from harness.statistics.differences import ALPHA, NAN
from harness.statistics.items import Grouping
from harness.statistics.seeds import Interval


def ratio_of_sums(above: np.ndarray, below: np.ndarray) -> Interval:
    """Sum of `above` (n,) over sum of `below` (n,), with a 95% interval; none for n < 2.

    Each place is a question, drawn independently of the others. Linearised: the ratio R moves with
    the mean of above - R below, whose variance Student's t with n - 1 df is given. Source: Cochran
    1977, Sampling Techniques, section 6.3.
    """
    from scipy import special

    n, total = len(below), float(below.sum())
    ratio = float(above.sum()) / total
    if n < 2:
        return Interval(ratio, NAN, NAN)
    one = np.zeros(n, dtype=np.int64)
    variance, df = Grouping(one, one).variance_within((above - ratio * below) / total)
    half = float(special.stdtrit(df, 1 - ALPHA / 2)) * float(np.sqrt(variance))
    return Interval(ratio, ratio - half, ratio + half)
