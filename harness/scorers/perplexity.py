"""Perplexity of a response given its prompt."""

from pathlib import Path

import numpy as np

from harness.common.progress import Step
from harness.common.schemas import PoolRows
from harness.models.likelihood import losses, read_texts
from harness.models.loading import Device, load_model
from harness.models.reader import Count, Threads, Tokens, read_with
from harness.models.template import ensure_template
from harness.scorers.chunks import in_chunks


def perplexity(
    pool: PoolRows,
    scratch: Path | None = None,
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

    exp of the mean of -ln p over the tokens that training would learn: every assistant turn with
    its end token, given all before it. Conversations over `max_length` (or the model's context)
    are cut as in training; where that leaves no response, the prompt loses its beginning instead.
    `template` is for models without one.
    """
    reader = read_with(load_model, model, revision, max_length, device, threads)
    ensure_template(reader.tokenizer, template)

    def score(rows: PoolRows, step: Step) -> tuple[np.ndarray, np.ndarray]:
        texts, was_cut = read_texts(rows, reader.tokenizer, reader.most)
        counts = np.array([sum(text.scored) for text in texts])
        with np.errstate(over="ignore"):  # in_chunks reports infinity
            return np.exp(losses(reader.model, texts, batch_size, step) / counts), was_cut

    return in_chunks(pool, "perplexity", scratch, score, reader.most)
