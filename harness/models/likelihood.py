"""The likelihood of a pool's responses under a causal language model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.common.errors import InputError
from harness.common.schemas import PoolRows
from harness.launching.ranks import joined, shard, world
from harness.models.batches import MOST_TOKENS, length_batches, padded
from harness.models.loading import check_ids
from harness.models.template import Messages, tokenise_all

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_MOST_LOGITS = 2**28  # of one batch: 1 GB in float32


@dataclass(frozen=True)
class Text:
    """Token ids, and which of them are scored; never the first, as nothing precedes it."""

    ids: list[int]
    scored: list[bool]


def read_texts(
    pool: PoolRows, tokenizer: "PreTrainedTokenizerBase", most: int
) -> tuple[list[Text], np.ndarray]:
    """The conversations, assistant turns scored, and which were cut to `most` tokens: (n,)."""
    whole = texts_of(tokenizer, list(pool.conversations()), pool.names)
    return [cut(text, most) for text in whole], np.array([len(text.ids) > most for text in whole])


def texts_of(
    tokenizer: "PreTrainedTokenizerBase", conversations: Sequence[Messages], names: Sequence[str]
) -> list[Text]:
    """Conversations, assistant turns scored; InputError names one without such a token."""
    texts = []
    tokenised = tokenise_all(tokenizer, conversations, names)
    for name, (ids, learnt) in zip(names, tokenised, strict=True):
        text = Text(ids, [False, *learnt[1:]])
        if not any(text.scored):
            raise InputError(f"{name}: no token of a response; it cannot be scored")
        texts.append(text)
    return texts


def cut(text: Text, most: int) -> Text:
    """At most `most` tokens: the first ones, as in training.

    Where none of these is scored (a longer prompt), those around the beginning of the response, so
    that every instance gets a score.
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

    Texts of similar length share a batch; batches affect a sum by rounding only.
    """
    check_ids(model, [text.ids for text in texts])
    sums = np.zeros(len(texts))
    own = shard(text_batches(model, texts, batch_size))
    for batch in own:
        sums[batch] = _batch_losses(model, [texts[i] for i in batch])
        step(len(batch) * world())
    return joined(sums, own)


def text_batches(
    model: "PreTrainedModel", texts: Sequence[Text], batch_size: int
) -> list[list[int]]:
    """Positions of the texts in batches of similar length, whose logits are bounded in size."""
    vocabulary = model.config.get_text_config().vocab_size
    most = min(MOST_TOKENS, _MOST_LOGITS // vocabulary)
    return length_batches([len(text.ids) for text in texts], batch_size, most)


def scored_logits(
    model: "PreTrainedModel", batch: list[Text]
) -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor]":
    """A model's prediction of each scored token of a batch, given all before it.

    Returns logits (m, vocabulary) of the m scored tokens, text after text, those tokens (m,), and
    a mask (len(batch), positions) with which to arrange them in one row a text.
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
