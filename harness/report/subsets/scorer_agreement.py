"""How well each scorer separates the planted clean rows from the faulty ones (lab only)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.common.schemas import FAULTS

if TYPE_CHECKING:
    import pandas as pd

NORMAL_95 = 1.96
ALL = "all"
NAN = float("nan")


@dataclass(frozen=True)
class Agreement:
    """A scorer against the planted quality, clean 1 and faulty 0, with 95% intervals.

    Attributes:
        clean: rows without a fault.
        faulty: rows with one.
        spearman: rank correlation of the score with the planted quality, -1 to 1.
        auc: the chance that a clean row scores above a faulty one, ties counted half.
    """

    clean: int
    faulty: int
    spearman: float
    spearman_low: float
    spearman_high: float
    auc: float
    auc_low: float
    auc_high: float


def agreement(scores: np.ndarray, clean: np.ndarray) -> Agreement:
    """Compare scores, (n,), with which rows are clean, (n,) bool.

    Against a quality of two values, Spearman's correlation is a rising linear function of the AUC
    whose slope follows from the shares of both kinds and the ties. The AUC's standard error is
    DeLong's (1988), its interval normal and clipped to 0-1; the correlation's interval is that one
    on the line. Rows are taken as independent. NaN where a kind has fewer than two rows and, for
    the correlation, where all scores are equal; an AUC of exactly 0 or 1 has no interval.
    """
    from scipy.stats import rankdata

    x, y = scores[clean], scores[~clean]
    n1, n0 = len(x), len(y)
    if min(n1, n0) < 2:
        return Agreement(n1, n0, *[NAN] * 6)
    ranks = rankdata(np.concatenate([x, y]))
    # For each clean row the share of faulty ones below it, for each faulty one of clean above it.
    above = (ranks[:n1] - rankdata(x)) / n0
    below = 1 - (ranks[n1:] - rankdata(y)) / n1
    auc = float(above.mean())
    half = NORMAL_95 * float(np.sqrt(above.var(ddof=1) / n1 + below.var(ddof=1) / n0))
    low, high = (max(0.0, auc - half), min(1.0, auc + half)) if 0 < auc < 1 else (NAN, NAN)
    spread = float(ranks.std())
    slope = np.sqrt(n1 * n0) / spread if spread else NAN
    rho, rho_low, rho_high = (float(slope * (value - 0.5)) for value in (auc, low, high))
    return Agreement(n1, n0, rho, rho_low, rho_high, auc, low, high)


def agreements(scores: Mapping[str, np.ndarray], noise: np.ndarray) -> "pd.DataFrame":
    """One line a scorer and kind of noise: all faulty rows, then each kind, against the clean ones.

    Args:
        scores: (n,) by scorer; rows that are not finite are left out of its lines.
        noise: (n,) the planted fault, or `none`; empty outside the lab.
    """
    import pandas as pd

    lines = []
    for name, column in scores.items():
        for kind in (ALL, *FAULTS) if len(noise) else ():
            of_kind = noise != "none" if kind == ALL else noise == kind
            rows = ((noise == "none") | of_kind) & np.isfinite(column)
            agreed = agreement(column[rows], noise[rows] == "none")
            lines.append({"scorer": name, "noise": kind, **asdict(agreed)})
    return pd.DataFrame(lines, columns=["scorer", "noise", *Agreement.__dataclass_fields__])
