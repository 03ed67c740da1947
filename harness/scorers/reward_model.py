"""A reward model's logit for each conversation."""

from pathlib import Path

import numpy as np

from harness.common.progress import Step
from harness.common.schemas import PoolRows
from harness.models.loading import Device
from harness.models.reader import Count, Threads, Tokens, read_with
from harness.reward_model.classifier import cut_ids, ids_of_rows, load_classifier, logits
from harness.scorers.chunks import in_chunks


def reward_model(
    pool: PoolRows,
    scratch: Path | None = None,
    *,
    model: str = "reward",
    revision: str | None = None,
    template: str = "alpaca",
    max_length: Tokens = 2048,
    batch_size: Count = 32,
    device: Device = "auto",
    threads: Threads = 1,
) -> np.ndarray:
    """The one logit of a sequence classifier for each conversation: (n,), any sign.

    The conversation is rendered by the model's own chat template; `template` is for models without
    one. One over `max_length` (or the model's context) loses its beginning, as most classifiers
    are read at the end. A selection maps logits to weights, as in ``quality: sigmoid(reward)``.
    """
    reader = read_with(load_classifier, model, revision, max_length, device, threads)

    def score(rows: PoolRows, step: Step) -> tuple[np.ndarray, ...]:
        texts = list(rows.conversations())
        whole = ids_of_rows(reader.tokenizer, texts, template, rows.names)
        ids = [cut_ids(reader.tokenizer, one, reader.most) for one in whole]
        was_cut = np.array([len(one) > reader.most for one in whole])
        tokens = np.array([len(one) for one in ids])
        return logits(reader.model, ids, batch_size, step), was_cut, tokens

    return in_chunks(pool, "reward_model", scratch, score, reader.most)[0]
