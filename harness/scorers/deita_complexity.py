"""Deita's complexity: how demanding an instruction is, by a language model trained to say so."""

from pathlib import Path

import numpy as np

from harness.common.schemas import PoolRows
from harness.models.loading import Device
from harness.models.reader import Count, Threads, Tokens
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

    The default is the published scorer, a 7B Llama. ``harness.scorers.rating`` says how it rates,
    and what a conversation of several turns gets.
    """
    return rate(
        "deita_complexity",
        pool,
        scratch,
        model=model,
        revision=revision,
        max_length=max_length,
        batch_size=batch_size,
        device=device,
        threads=threads,
    )
