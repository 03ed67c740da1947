"""From scores of instances to the weights of clusters: eqs. 4 to 7 of arXiv 2409.11378."""

import warnings
from typing import Literal

import numpy as np

Direction = Literal["challenging", "learnt"]
ScoreTransform = Literal["exp", "shift"]
Weights = Literal["cumulative", "fresh"]

# The least share of the scored clusters' joint weight that each keeps: none is lost for good.
FLOOR = 1e-9


def instance_scores(
    gold: np.ndarray, generated: np.ndarray, direction: Direction = "challenging"
) -> np.ndarray:
    """How much better the given response is than the generated one: eq. 4, (n,) float64.

    ``gold`` and ``generated`` are (n,) scores of prompt and response, NaN where there is none.
    ``challenging`` is high where the model has not learnt the instance, as the equation stands;
    ``learnt`` has the opposite sign, as section 2.2 says. Eq. 7, -log(PPL(generated) / PPL(gold)),
    is eq. 4 of log perplexities, not of their negatives.
    """
    scores = np.asarray(gold, dtype=np.float64) - np.asarray(generated, dtype=np.float64)
    return scores if direction == "challenging" else -scores


def cluster_scores(scores: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """The mean score of each cluster's instances: eq. 5, (k,), NaN where none was scored.

    ``scores`` is (n,) float64, NaN for instances left out; ``labels`` (n,) gives their clusters.
    """
    known = np.isfinite(scores)
    counts = np.bincount(labels[known], minlength=k)
    sums = np.bincount(labels[known], weights=scores[known], minlength=k)
    with np.errstate(invalid="ignore"):
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def new_weights(
    weights: np.ndarray,
    scores: np.ndarray,
    *,
    transform: ScoreTransform = "exp",
    temperature: float = 1.0,
    mode: Weights = "cumulative",
) -> np.ndarray:
    """The clusters' weights after a round: eq. 6, (k,) float64 that sum to 1.

    Eq. 6 needs positive scores and eq. 4 can be negative, so scores are made positive first, by
    exp((s - max s) / temperature) or, with ``shift``, s - min s. The scored clusters redistribute
    the weight they held together, each keeping at least 1e-9 of it; unscored ones keep theirs.

    ``weights`` (k,) of the previous round sum to 1; ``scores`` (k,) are those of eq. 5, NaN where
    nothing was scored. ``cumulative`` multiplies by the previous weight, as eq. 6; ``fresh`` does
    not. The temperature must be above 0.

    Warns if all scores are equal or there are none: the weights then stay.
    """
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; it must be above 0")
    scored = np.isfinite(scores) & (weights > 0)
    known = scores[scored]
    if not len(known):
        warnings.warn("no cluster was scored; the weights stay as they were", stacklevel=2)
        return weights.copy()
    if known.max() == known.min():
        if len(known) > 1:
            text = f"every cluster scored {known[0]:.4g}, so scores change no weight"
            warnings.warn(text, stacklevel=2)
        factors = np.ones(len(known))
    elif transform == "exp":
        factors = np.exp((known - known.max()) / temperature)
    else:
        factors = known - known.min()
    before = weights[scored] if mode == "cumulative" else np.ones(len(known))
    held = weights[scored].sum()
    shares = before / before.max() * factors
    shares = np.maximum(shares / shares.sum(), FLOOR)
    new = weights.astype(np.float64).copy()
    new[scored] = held * shares / shares.sum()
    return new / new.sum()


def effective_clusters(weights: np.ndarray) -> float:
    """The effective number of clusters: exp of the weights' entropy, 1 to k."""
    some = weights[weights > 0]
    return float(np.exp(-(some * np.log(some)).sum()))
