"""The loss of each response given its prompt: one reading, which several scorers use."""

from pathlib import Path

import numpy as np

from harness.common.progress import Step
from harness.common.schemas import PoolRows
from harness.models.likelihood import losses, read_texts
from harness.models.loading import Device, load_model
from harness.models.reader import read_with
from harness.models.template import ensure_template
from harness.scorers.chunks import in_chunks


def read_responses(
    pool: PoolRows,
    scratch: Path | None,
    scorer: str,
    *,
    model: str,
    revision: str | None,
    template: str,
    max_length: int,
    batch_size: int,
    device: Device,
    threads: int,
) -> np.ndarray:
    """The sum of -ln p over each row's learnt tokens, and their number: (2, n) float64.

    Learnt is every assistant turn with its end token, given all before it. Conversations over
    ``max_length`` (or the model's context) are cut as in training; where that leaves no response,
    the prompt loses its beginning instead. ``template`` is for models without one. Messages name
    ``scorer``, for which they are read.
    """
    reader = read_with(load_model, model, revision, max_length, device, threads)
    ensure_template(reader.tokenizer, template)

    def score(rows: PoolRows, step: Step) -> tuple[np.ndarray, ...]:
        texts, was_cut = read_texts(rows, reader.tokenizer, reader.most)
        counts = np.array([sum(text.scored) for text in texts])
        tokens = np.array([len(text.ids) for text in texts])
        return losses(reader.model, texts, batch_size, step), was_cut, tokens, counts

    return in_chunks(pool, scorer, scratch, score, reader.most)[[0, 3]]
