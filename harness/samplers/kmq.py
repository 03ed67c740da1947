"""kMQ: each cluster's share of the budget, drawn with probability by quality."""

import warnings
from typing import Literal

import numpy as np

from harness.samplers.pool import Pool, check_choice, check_pool, check_quality
from harness.samplers.shares import Counts, Share, in_turn, share_out

Weighting = Literal["linear", "softmax"]

FAR = 700.0  # difference of logarithms of weights: odds of e ** 700 count as certain
FINE = 1e-6  # precision of logarithms of odds: finer than any share needs


def kmq(
    pool: Pool,
    budget: int,
    rng: np.random.Generator,
    *,
    share: Share = "proportional",
    min_per_cluster: int = 0,
    replacement: bool = False,
    weighting: Weighting = "linear",
    counts: Counts = "remainder",
) -> np.ndarray:
    """Draw within k-means clusters, an instance's weight being its quality.

    Source: arXiv 2409.11378, section 2.1 and eq. 3. An instance of quality zero is drawn only when
    its cluster has no other left, uniformly; a warning counts the clusters where every quality is
    zero. Order: the clusters in turn (``in_turn``), each in the order drawn.

    Without ``replacement``, instances are drawn one by one, each with probability w_i over the sum
    of the weights not yet drawn. With it, draws are those of eq. 3, conditional on a subset holding
    each instance once: a set of the share's size has a probability proportional to the product of
    its weights. (Repeating eq. 3's draws until enough differ is the same as without.) The weight is
    the quality (``linear``) or exp(quality) (``softmax``). ``counts`` are shares by largest
    remainder, or drawn (``multinomial``, as the released code does, without ``min_per_cluster``).
    For ``share`` and ``min_per_cluster`` see ``harness.samplers.shares.share_out``.
    """
    check_pool(pool, budget)
    quality = check_quality(pool)
    check_choice("weighting", weighting, Weighting)
    check_choice("counts", counts, Counts)
    if counts == "multinomial" and min_per_cluster:
        raise ValueError(f"min_per_cluster is {min_per_cluster}; with drawn counts it must be 0")
    draw = rng if counts == "multinomial" else None
    groups, shares = share_out(pool, budget, share, min_per_cluster, draw)
    with np.errstate(divide="ignore"):  # log 0 is -inf: drawn last
        log_quality = np.log(quality)
    draw = _draw_distinct if replacement else _draw_in_sequence
    picks, blind = [], 0
    for rows, count in zip(groups, shares, strict=True):
        if count:
            positive = rows[quality[rows] > 0]
            blind += not len(positive)
            # The logarithm of exp(q) is q: no overflow.
            logs = (log_quality if weighting == "linear" else quality)[positive]
            own = positive[draw(logs, min(count, len(positive)), rng)]
            zeros = rows[quality[rows] == 0]
            rest = rng.choice(zeros, size=count - len(own), replace=False)
            picks.append(np.concatenate([own, rest]))
    if blind:
        text = f"every quality is zero in {blind} of {len(picks)} clusters"
        warnings.warn(f"{text}; they give theirs uniformly", stacklevel=3)
    return in_turn(picks)


def _draw_in_sequence(logs: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Weighted draws without replacement: (count,) positions in the order drawn.

    The order of log w + Gumbel noise is that of successive draws (Efraimidis & Spirakis 2006, whose
    keys U^(1/w) are in the same order).
    """
    keys = logs + rng.gumbel(size=len(logs))
    return np.argsort(-keys, kind="stable")[:count]


def _draw_distinct(logs: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Weighted draws with replacement, conditional on being distinct: (count,) positions.

    Independent coins of odds proportional to the weights, thrown again until ``count`` come up
    heads, give each set its product of weights (Hajek's rejective sampling; Chen, Dempster & Liu
    1994). The order of such draws is uniform.
    """
    if count == len(logs):
        return rng.permutation(count)
    # What is far over the best that can be left out is taken, what is far under the least that can
    # be taken is not: exchanging two such makes a set's weight negligible. Coins suit the rest.
    order = np.sort(logs)[::-1]
    sure = np.flatnonzero(logs > order[count] + FAR)
    open_ = np.flatnonzero((logs <= order[count] + FAR) & (logs >= order[count - 1] - FAR))
    wanted = count - len(sure)
    if not wanted:
        return rng.permutation(sure)
    chances = _chances(logs[open_], wanted)
    while True:
        heads = open_[rng.random(len(open_)) < chances]
        if len(heads) == wanted:
            return rng.permutation(np.concatenate([sure, heads]))


def _chances(logs: np.ndarray, count: int) -> np.ndarray:
    """Chances of odds proportional to the weights that sum to ``count``, for the fewest throws."""
    logs = logs - logs.max()  # near 0, bisection steps survive rounding

    def at(shift: float) -> np.ndarray:
        return np.exp(-np.logaddexp(0, -(logs + shift)))

    size = len(logs)
    low = np.log(count / size)
    high = np.log(count / (size - count)) - logs.min()
    while high - low > FINE:
        middle = (low + high) / 2
        low, high = (middle, high) if at(middle).sum() < count else (low, middle)
    return at(high)
