"""Scorers: each makes one column of ``scores.parquet`` from the pool's rows.

``SCORERS[key](pool, scratch, **knobs)`` takes PoolRows (`pool.frame["response"]`,
`pool.conversations()`) and returns one float64 score a row: (n,). Knobs are keyword-only.
``scratch`` is a folder in which what is finished of a long run is kept, so that a killed one goes
on; None keeps nothing. Bad input, and a model that gives NaN, raise InputError in one line. To add
one, write ``harness/scorers/<key>.py`` and name it below.
"""

from collections.abc import Callable

import numpy as np

from harness.scorers.column import column
from harness.scorers.deita_complexity import deita_complexity
from harness.scorers.deita_quality import deita_quality
from harness.scorers.ifd import ifd
from harness.scorers.length import length
from harness.scorers.perplexity import perplexity
from harness.scorers.reward_model import reward_model

Scorer = Callable[..., np.ndarray]

SCORERS: dict[str, Scorer] = {
    "length": length,
    "perplexity": perplexity,
    "ifd": ifd,
    "reward_model": reward_model,
    "deita_complexity": deita_complexity,
    "deita_quality": deita_quality,
    "column": column,
}

__all__ = ["SCORERS", "Scorer"]
