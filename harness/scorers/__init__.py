"""Scorers: each makes one column of ``scores.parquet`` from the pool's rows.

``SCORERS[key](pool)`` takes the pool's frame and returns one float64 score a row.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from harness.scorers.length import length

if TYPE_CHECKING:
    import pandas as pd

Scorer = Callable[["pd.DataFrame"], np.ndarray]

SCORERS: dict[str, Scorer] = {"length": length}

__all__ = ["SCORERS", "Scorer"]
