"""Deita's quality: how good a response is, by a language model trained to rate it."""

from pathlib import Path

import numpy as np

from harness.common.schemas import PoolRows
from harness.models.loading import Device, load_model
from harness.models.reader import Count, Threads, Tokens, read_with
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

    The default is the published scorer, a 7B Llama; see ``harness.scorers.rating``.
    """
    reader = read_with(load_model, model, revision, max_length, device, threads)
    return rate("deita_quality", pool, scratch, reader, batch_size)
