"""Response length: the cheapest score, and a confounder every comparison should show."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def length(pool: "pd.DataFrame", scratch: Path | None = None) -> np.ndarray:
    """Length of each response in characters: (n,) float64."""
    return pool["response"].str.len().to_numpy(dtype=np.float64)
