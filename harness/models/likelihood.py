"""How likely a causal language model finds the responses of a pool."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.common.errors import InputError
from harness.common.schemas import PoolRows
from harness.models.batches import MOST_TOKENS, length_batches, padded
from harness.models.loading import check_ids
from harness.models.template import Messages, tokenise_all

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_MOST_LOGITS = 2**28  # of one batch: 1 GB in float32


@dataclass(frozen=True)
class Text:
    """Token ids, of which those marked are scored; the first never is, as nothing precedes it."""

    ids: list[int]
    scored: list[bool]


def read_texts(
    pool: PoolRows, tokenizer: "PreTrainedTokenizerBase", most: int
) -> tuple[list[Text], np.ndarray]:
    """Each conversation, its assistant turns scored, and which were cut to `most` tokens: (n,)."""
    whole = texts_of(tokenizer, list(pool.conversations()), pool.names)
    return [cut(text, most) for text in whole], np.array([len(text.ids) > most for text in whole])


def texts_of(
    tokenizer: "PreTrainedTokenizerBase", conversations: Sequence[Messages], names: Sequence[str]
) -> list[Text]:
    """Conversations, assistant turns scored; InputError, by its name, where one has none."""
    found = []
    for name, (ids, learnt) in zip(
        names, tokenise_all(tokenizer, conversations, names), strict=True
    ):
        text = Text(ids, [False, *learnt[1:]])
        if not any(text.scored):
            raise InputError(f"{name}: no token of a response; it cannot be scored")
        found.append(text)
    return found


def cut(text: Text, most: int) -> Text:
    """At most `most` tokens: those from the start, as training cuts.

    Where these hold nothing scored (a prompt that alone is longer), the stretch with the beginning
    of the response in its middle: every instance gets a score.
    """
    if len(text.ids) <= most:
        return text
    start = 0
    if not any(text.scored[:most]):
        start = text.scored.index(True) - most // 2
    return Text(text.ids[start : start + most], text.scored[start : start + most])


def losses(
    model: "PreTrainedModel",
    texts: Sequence[Text],
    batch_size: int,
    step: Callable[[int], object] = lambda _: None,
) -> np.ndarray:
    """The sum of -ln p over each text's scored tokens, given all before them: (n,) float64.

    Texts of like length share a batch; batches change a sum by rounding only.
    """
    check_ids(model, [text.ids for text in texts])
    found = np.zeros(len(texts))
    for batch in text_batches(model, texts, batch_size):
        found[batch] = _batch_losses(model, [texts[i] for i in batch])
        step(len(batch))
    return found


def text_batches(
    model: "PreTrainedModel", texts: Sequence[Text], batch_size: int
) -> list[list[int]]:
    """Positions of the texts in batches of like length, whose logits stay under a bound."""
    vocabulary = model.config.get_text_config().vocab_size
    most = min(MOST_TOKENS, _MOST_LOGITS // vocabulary)
    return length_batches([len(text.ids) for text in texts], batch_size, most)


def scored_logits(
    model: "PreTrainedModel", batch: list[Text]
) -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor]":
    """What a model predicts at each scored token of a batch, given all before it.

    Returns logits (m, vocabulary) of the m scored tokens, text after text, those tokens (m,), and
    a table (len(batch), places) that is true at each: what to fill, to have a row a text.
    """
    import torch

    ids = padded([text.ids for text in batch]).to(model.device)
    scored = padded([text.scored for text in batch]).to(model.device)
    first = min(text.scored.index(True) for text in batch) - 1
    with torch.inference_mode():
        places = torch.arange(first, ids.shape[1] - 1, device=ids.device)
        logits = model(ids, logits_to_keep=places, use_cache=False).logits
        wanted = scored[:, first + 1 :]
        return logits[wanted], ids[:, first + 1 :][wanted], wanted


def _batch_losses(model: "PreTrainedModel", batch: list[Text]) -> np.ndarray:
    import torch

    with torch.inference_mode():
        logits, targets, wanted = scored_logits(model, batch)
        logs = torch.log_softmax(logits.float(), dim=-1)
        table = torch.zeros(wanted.shape, dtype=torch.float64, device=logits.device)
        table[wanted] = logs.gather(1, targets[:, None])[:, 0].double()
    return -table.sum(dim=1).cpu().numpy()
