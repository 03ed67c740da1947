"""Deita's complexity: how demanding an instruction is, by a language model trained to rate it."""

from pathlib import Path

import numpy as np

from harness.common.schemas import PoolRows
from harness.models.loading import Device, load_model
from harness.models.reader import Count, Threads, Tokens, read_with
from harness.scorers.rating import rate


def deita_complexity(
    pool: PoolRows,
    scratch: Path | None = None,
    *,
    model: str = "hkust-nlp/deita-complexity-scorer",
    revision: str | None = None,
    max_length: Tokens = 2048,
    batch_size: Count = 8,
    device: Device = "auto",
    threads: Threads = 1,
) -> np.ndarray:
    """Expected complexity score of each instruction, 1 to 6: (n,). Liu et al. 2023.

    The default is the published scorer, a 7B Llama; see ``harness.scorers.rating``.
    """
    reader = read_with(load_model, model, revision, max_length, device, threads)
    return rate("deita_complexity", pool, scratch, reader, batch_size)
