"""PCA whitening against scikit-learn's, and where it would divide by zero."""

import numpy as np
import pytest

from harness.feedback import whitening
from harness.feedback.whitening import whiten


def rows(n: int, d: int, seed: int = 0) -> np.ndarray:
    """Correlated columns of unequal scales around a mean far from zero, float32."""
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(d, d)) * np.geomspace(1, 1e-2, d)
    return (rng.normal(size=(n, d)) @ mix + 5 * rng.normal(size=d)).astype(np.float32)


@pytest.mark.parametrize(("n", "d", "dims"), [(300, 12, 12), (300, 12, 5), (9, 40, 8), (50, 1, 1)])
def test_the_covariance_is_the_identity(n: int, d: int, dims: int) -> None:
    result = whiten(rows(n, d), dims)
    assert result.dtype == np.float32
    assert result.shape == (n, dims)
    centred = result.astype(np.float64)
    np.testing.assert_allclose(centred.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(centred.T @ centred / (n - 1), np.eye(dims), atol=1e-4)


@pytest.mark.parametrize(("n", "d", "dims"), [(300, 12, 12), (300, 12, 5), (9, 40, 8)])
def test_it_is_scikit_learns_up_to_sign(n: int, d: int, dims: int) -> None:
    from sklearn.decomposition import PCA

    x = rows(n, d).astype(np.float64)
    result = whiten(x, dims)
    expected = PCA(dims, whiten=True, svd_solver="full").fit_transform(x)
    signs = np.sign((result * expected).sum(axis=0))
    np.testing.assert_allclose(result, expected * signs, atol=1e-4)


def test_signs_are_set_by_the_largest_loading() -> None:
    # Axes (3, -4) / 5, then (4, 3) / 5: the first is turned round, so that its -4 is positive.
    steps = np.array([[3.0, -4.0], [-3.0, 4.0], [0.4, 0.3], [-0.4, -0.3]])
    scale = np.sqrt([2 * 25 / 3, 2 * 0.25 / 3])
    expected = np.array([[-5, 0], [5, 0], [0, 0.5], [0, -0.5]]) / scale
    np.testing.assert_allclose(whiten(steps, 2), expected, atol=1e-6)
    np.testing.assert_allclose(whiten(-steps, 2), -expected, atol=1e-6)
    np.testing.assert_allclose(whiten(steps[::-1], 2), expected[::-1], atol=1e-6)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = rows(300, 12)
    expected = whiten(x, 6)
    monkeypatch.setattr(whitening, "_BLOCK", 7)
    np.testing.assert_allclose(whiten(x, 6), expected, atol=1e-5)


def test_directions_without_variance_stay_near_zero() -> None:
    x = rows(300, 3)
    deficient = np.concatenate([x, x @ np.ones((3, 4), dtype=np.float32)], axis=1)
    result = whiten(deficient.astype(np.float64), 7)
    assert np.isfinite(result).all()
    variances = result.astype(np.float64).var(axis=0, ddof=1)
    np.testing.assert_allclose(variances[:3], 1, rtol=1e-3)
    assert (variances[4:] < 1e-3).all()


@pytest.mark.parametrize("value", [0, 0.1, 1e6])
def test_rows_that_are_all_one_stay_near_zero(value: float) -> None:
    result = whiten(np.full((30_000, 4), value, dtype=np.float32), 3)
    np.testing.assert_allclose(result, 0, atol=1e-2)


@pytest.mark.parametrize(("n", "d", "dims", "bound"), [(5, 9, 5, 4), (9, 5, 6, 5), (9, 5, 0, 5)])
def test_dims_out_of_bounds_are_reported(n: int, d: int, dims: int, bound: int) -> None:
    with pytest.raises(ValueError, match=f"dims is {dims}; {n} rows of {d} .* 1 to {bound}$"):
        whiten(rows(n, d), dims)


def test_nan_and_other_shapes_are_reported() -> None:
    x = rows(9, 4)
    x[6, 1] = np.nan
    with pytest.raises(ValueError, match="x row 6 holds NaN"):
        whiten(x, 2)
    with pytest.raises(ValueError, match=r"x has shape \(9,\)"):
        whiten(x[:, 0], 1)
