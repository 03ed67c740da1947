"""Perplexity of a response given its prompt."""

from pathlib import Path

import numpy as np

from harness.common.schemas import PoolRows
from harness.models.loading import Device
from harness.models.reader import Count, Threads, Tokens
from harness.scorers.chunks import finite
from harness.scorers.responses import read_responses


def perplexity(
    pool: PoolRows,
    scratch: Path | None = None,
    responses: np.ndarray | None = None,
    *,
    model: str = "base",
    revision: str | None = None,
    template: str = "alpaca",
    max_length: Tokens = 2048,
    batch_size: Count = 32,
    device: Device = "auto",
    threads: Threads = 1,
) -> np.ndarray:
    """Perplexity of each conversation's assistant turns under a causal language model: (n,).

    exp of the mean of -ln p over the tokens that training would learn: see `read_responses`.
    """
    if responses is None:
        responses = read_responses(
            pool,
            None,
            "perplexity",
            model=model,
            revision=revision,
            template=template,
            max_length=max_length,
            batch_size=batch_size,
            device=device,
            threads=threads,
        )
    losses, counts = responses
    with np.errstate(over="ignore"):  # reported
        return finite("perplexity", pool, np.exp(losses / counts))
