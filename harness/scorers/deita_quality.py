"""Deita's quality: how good a response is, by a language model trained to say so."""

from pathlib import Path

import numpy as np

from harness.common.schemas import PoolRows
from harness.models.loading import Device
from harness.models.reader import Count, Threads, Tokens
from harness.scorers.rating import rate


def deita_quality(
    pool: PoolRows,
    scratch: Path | None = None,
    *,
    model: str = "hkust-nlp/deita-quality-scorer",
    revision: str | None = None,
    max_length: Tokens = 2048,
    batch_size: Count = 8,
    device: Device = "auto",
    threads: Threads = 1,
) -> np.ndarray:
    """Expected quality score of each response to its instruction, 1 to 6: (n,). Liu et al. 2023.

    The default is the published scorer, a 7B Llama. ``harness.scorers.rating`` says how it rates,
    and what a conversation of several turns gets.
    """
    return rate(
        "deita_quality",
        pool,
        scratch,
        model=model,
        revision=revision,
        max_length=max_length,
        batch_size=batch_size,
        device=device,
        threads=threads,
    )
