"""How uncertain a model is of an instance's response: criteria other than diversity."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.common.errors import InputError, nearest
from harness.common.progress import Step
from harness.feedback.inference import check_counts, inferring, most_tokens, name_of, not_finite
from harness.models.likelihood import Text, cut, scored_logits, text_batches, texts_of
from harness.models.template import Messages

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_MOST_AT_ONCE = 2**24  # probabilities computed at once: 128 MB in float64


def uncertainty(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    conversations: Sequence[Messages],
    criterion: str,
    *,
    max_length: int,
    batch_size: int,
    names: Sequence[str] | None = None,
    step: Step = lambda _: None,
) -> tuple[np.ndarray, int, np.ndarray]:
    """How uncertain a model is of each conversation's responses, higher being less certain: (n,).

    Also returns how many tokens were read, and which conversations were cut: (n,) bool.

    The mean over the tokens that training would learn (every assistant turn with its end token,
    each predicted given all before it, teacher-forced) of `least_confidence` (1 - the highest
    probability, 0 to 1), `margin` (minus the difference of the two highest, -1 to 0) or `entropy`
    (nats), as in Settles' survey of active learning (2009, section 3.1). float64. Texts longer
    than `max_length` or the context are cut as in training; where that leaves no response, the
    prompt loses its beginning instead. Batches change a value by rounding only. `step` receives how
    many more rows are done.

    Raises InputError for an unknown criterion, a conversation without a response, and logits that
    are NaN or infinite.
    """
    if criterion not in CRITERIA:
        raise InputError(f"criterion: no {criterion!r}{nearest(criterion, CRITERIA)}")
    check_counts(batch_size=batch_size)
    if max_length < 2:
        raise InputError(f"max_length: {max_length} leaves nothing to predict; give 2 or more")
    most = most_tokens(model, tokenizer, max_length)
    called = [name_of(names, i) for i in range(len(conversations))]
    whole = texts_of(tokenizer, [list(messages) for messages in conversations], called)
    texts = [cut(text, most) for text in whole]
    means = np.zeros(len(texts))
    with inferring(model):
        for batch in text_batches(model, texts, batch_size):
            values = _means(model, [texts[i] for i in batch], CRITERIA[criterion])
            lost = ~np.isfinite(values)
            if lost.any():
                raise not_finite(name_of(names, batch[int(np.argmax(lost))]), "logits")
            means[batch] = values
            step(len(batch))
    read = sum(len(text.ids) for text in texts)
    return means, read, np.array([len(text.ids) > most for text in whole])


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
