"""PCA whitening: fewer dimensions, each of variance 1."""

import numpy as np

_FLOOR = 1e-10  # of an eigenvalue, relative to the largest
_ROUNDING = 1e-10  # of a standard deviation, relative to the largest number
_BLOCK = 4096  # rows converted to float64 at once


def whiten(x: np.ndarray, dims: int) -> np.ndarray:
    """Project rows on their first principal axes and scale each to variance 1: (n, dims) float32.

    ``x`` is (n, d) of any float type, computed in float64; ``dims`` is 1 to min(n - 1, d). Centred;
    sample variance (divided by n - 1). An axis' loading of largest magnitude, the first of equals,
    is positive. Eigenvalues are at least 1e-10 of the largest, so that an axis without variance
    comes out near zero, not as magnified rounding, and so do rows that are all equal.

    Raises ValueError for another shape or number of dims, and for NaN or infinity, by row.
    """
    if x.ndim != 2:
        raise ValueError(f"x has shape {x.shape}; needed: (n, d)")
    n, d = x.shape
    if not 1 <= dims <= min(n - 1, d):
        raise ValueError(
            f"dims is {dims}; {n} rows of {d} numbers can be whitened to 1 to {min(n - 1, d)}"
        )
    finite = np.isfinite(x).all(axis=1)
    if not finite.all():
        raise ValueError(f"x row {np.argmin(finite)} holds NaN or infinity")
    blocks = [slice(start, start + _BLOCK) for start in range(0, n, _BLOCK)]
    mean = x.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((d, d))
    for block in blocks:
        centred = x[block] - mean
        covariance += centred.T @ centred
    values, vectors = np.linalg.eigh(covariance / (n - 1))  # ascending
    values, axes = values[::-1][:dims], vectors[:, ::-1][:, :dims]
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), np.arange(dims)] < 0, -1.0, 1.0)
    # Equal rows differ from their mean by its rounding.
    least = max(_FLOOR * values[0], (_ROUNDING * float(np.abs(x).max())) ** 2) or 1.0
    axes = axes / np.sqrt(np.maximum(values, least))
    return np.concatenate([(x[block] - mean) @ axes for block in blocks]).astype(np.float32)
