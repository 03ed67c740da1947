"""Response length: the cheapest score, and a confounder that every comparison should show."""

from pathlib import Path

import numpy as np

from harness.common.schemas import PoolRows


def length(pool: PoolRows, scratch: Path | None = None) -> np.ndarray:
    """Length of each response in characters: (n,) float64."""
    return pool.frame["response"].str.len().to_numpy(dtype=np.float64)
