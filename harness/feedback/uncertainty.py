"""How uncertain a model is of an instance's response: criteria other than diversity."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from harness.common.progress import Step
from harness.common.schemas import PoolRows
from harness.feedback.inference import inferring, not_finite
from harness.launching.ranks import joined, shard, world
from harness.models.likelihood import Text, read_texts, scored_logits, text_batches
from harness.models.reader import Reader

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_MOST_AT_ONCE = 2**24  # probabilities computed at once: 128 MB in float64


def uncertainty(
    reader: Reader,
    pool: PoolRows,
    criterion: str,
    *,
    batch_size: int,
    step: Step = lambda _: None,
) -> tuple[np.ndarray, int, np.ndarray]:
    """How uncertain a model is of each conversation's responses, higher being less certain: (n,).

    Also returns how many tokens were read, and which conversations were cut: (n,) bool.

    The mean over the tokens that training would learn (every assistant turn with its end token,
    each predicted given all before it, teacher-forced) of `least_confidence` (1 - the highest
    probability, 0 to 1), `margin` (minus the difference of the two highest, -1 to 0) or `entropy`
    (nats), as in Settles' survey of active learning (2009, section 3.1). float64. Texts longer
    than the model reads are cut as in training; where that leaves no response, the prompt loses its
    beginning instead. Batches change a value by rounding only. `step` receives how many more rows
    are done.

    Raises InputError for a conversation without a response, and logits that are NaN or infinite.
    """
    model = reader.model
    texts, was_cut = read_texts(pool, reader.tokenizer, reader.most)
    means = np.zeros(len(texts))
    own = shard(text_batches(model, texts, batch_size))
    with inferring(model):
        for batch in own:
            values = _means(model, [texts[i] for i in batch], CRITERIA[criterion])
            lost = ~np.isfinite(values)
            if lost.any():
                raise not_finite(pool.names[batch[int(np.argmax(lost))]], "logits")
            means[batch] = values
            step(len(batch) * world())
    means = joined(means, own)
    return means, sum(len(text.ids) for text in texts), was_cut


def _means(
    model: "PreTrainedModel", batch: list[Text], measure: "Callable[[torch.Tensor], torch.Tensor]"
) -> np.ndarray:
    """The mean of a measure over each text's scored tokens: (len(batch),)."""
    import torch

    logits, _, wanted = scored_logits(model, batch)
    values = [
        # float64: in float32, 1 - p would be zero for many near-certain tokens.
        measure(torch.softmax(part.double(), dim=-1))
        for part in logits.split(max(1, _MOST_AT_ONCE // logits.shape[1]))
    ]
    table = torch.zeros(wanted.shape, dtype=torch.float64, device=logits.device)
    table[wanted] = torch.cat(values)
    return (table.sum(dim=1) / wanted.sum(dim=1)).cpu().numpy()


def _margin(p: "torch.Tensor") -> "torch.Tensor":
    first, second = p.topk(2, dim=-1).values.unbind(dim=-1)
    return second - first


def _entropy(p: "torch.Tensor") -> "torch.Tensor":
    import torch

    return torch.special.entr(p).sum(dim=-1)  # 0 where p is 0


# Each a function of probabilities (m, vocabulary) to (m,).
CRITERIA: "dict[str, Callable[[torch.Tensor], torch.Tensor]]" = {
    "least_confidence": lambda p: 1 - p.amax(dim=-1),
    "margin": _margin,
    "entropy": _entropy,
}
