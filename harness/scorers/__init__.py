"""Scorers: each makes one column of ``scores.parquet`` from the pool's rows.

``SCORERS[key](pool, scratch, **knobs)`` takes PoolRows (`pool.frame["response"]`,
`pool.conversations()`) and returns one float64 score a row: (n,). Knobs are keyword-only.
``scratch`` is a folder that keeps the finished part of a long run, so that a killed one resumes.
A scorer with a third argument, ``responses``, is given what `read_responses` returns for its model
and knobs, which is made once for all that use the same, and kept.
Bad input, and a model that gives NaN, raise InputError in one line. To add one, write
``harness/scorers/<key>.py`` and its entry below.
"""

import numpy as np

from harness.params.knobs import Entry
from harness.scorers.deita_complexity import deita_complexity
from harness.scorers.deita_quality import deita_quality
from harness.scorers.ifd import ifd
from harness.scorers.length import length
from harness.scorers.perplexity import perplexity
from harness.scorers.reward_model import reward_model
from harness.scorers.user_column import column

# `model`: named by that knob, and its columns are kept; `file`: the user's own.
MODEL, FILE = frozenset({"model"}), frozenset({"file"})
ONE_PASS, TWO_PASSES, NO_MODEL = "1 forward pass a row", "2 forward passes a row", "no model"
DEITA = "Liu et al. 2023, arXiv 2312.15685"

SCORERS: dict[str, Entry[np.ndarray]] = {
    "length": Entry(function=length, source="baseline", cost=NO_MODEL),
    "perplexity": Entry(
        function=perplexity, needs=MODEL, source="arXiv 2409.11378, eq. 7", cost=ONE_PASS
    ),
    "ifd": Entry(
        function=ifd, needs=MODEL, source="Li et al. 2023, arXiv 2308.12032", cost=TWO_PASSES
    ),
    "reward_model": Entry(
        function=reward_model, needs=MODEL, source="arXiv 2409.11378, section 4.2", cost=ONE_PASS
    ),
    "deita_complexity": Entry(function=deita_complexity, needs=MODEL, source=DEITA, cost=ONE_PASS),
    "deita_quality": Entry(function=deita_quality, needs=MODEL, source=DEITA, cost=ONE_PASS),
    "column": Entry(function=column, needs=FILE, source="the user's own", cost=NO_MODEL),
}

__all__ = ["SCORERS"]
