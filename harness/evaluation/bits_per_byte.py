"""Response bits per byte: how well a model predicts held-out answers, whatever its vocabulary."""

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.common.errors import InputError
from harness.common.progress import counting
from harness.common.schemas import PoolRows
from harness.evaluation.language_model import NOT_A_NUMBER
from harness.models.likelihood import Text, losses
from harness.models.template import about, tokenise

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Window(NamedTuple):
    """Consecutive tokens of a conversation, scored from `start` on."""

    row: int
    ids: list[int]
    start: int


def bits_per_byte(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    heldout: "pd.DataFrame",
    batch_size: int,
) -> "pd.DataFrame":
    """Bits per byte of each row's response: samples with their source, and whether they were cut.

    A row's bits are the sum of -log2 p over the tokens of its last assistant turn given all before
    it, including the end token: a code without it could not be decoded. Its bytes (weight) are
    those of the response in UTF-8, without the end token; score is bits / bytes, so that the mean
    of scores weighted by bytes is all bits over all bytes. What exceeds the model's context is cut
    on the left of the prompt; a longer response is scored in pieces of half a context, each with
    the half before it in view. `cut` marks such rows; `prediction` is empty. Rows are batched by
    length, which affects the result by rounding only. InputError names a row for which the model
    gives NaN.
    """
    import pandas as pd

    context = getattr(model.config, "max_position_embeddings", None) or 2048
    rows = PoolRows(heldout)
    windows: list[Window] = []
    cut: list[bool] = []
    for row, (name, messages) in enumerate(zip(rows.ids, rows.conversations(), strict=True)):
        with about(f"held-out row {name!r}"):
            ids, start = response_tokens(tokenizer, messages)
        cut.append(len(ids) > context)
        windows += split_windows(row, ids, start, context)
    # A sum's last bit depends on its order: a row's windows are added longest first, as batched.
    windows.sort(key=lambda window: -len(window.ids))
    texts = [Text(ids, [False] * start + [True] * (len(ids) - start)) for _, ids, start in windows]
    with counting("bits per byte", len(texts)) as step:
        nats = losses(model, texts, batch_size, step)
    if (lost := np.isnan(nats)).any():
        row = windows[int(np.argmax(lost))].row
        raise InputError(f"held-out row {rows.ids[row]!r}: {NOT_A_NUMBER}")
    bits = np.bincount([window.row for window in windows], nats / math.log(2), len(cut))
    size = heldout["response"].str.encode("utf-8").str.len().astype("float64").to_numpy()
    return pd.DataFrame(
        {
            "source": heldout["source"].to_numpy(),
            "item": (heldout["source"] + ":" + heldout["id"]).to_numpy(),
            "prompt_hash": None,
            "prediction": "",
            "score": bits / size,
            "weight": size,
            "cluster": None,
            "cut": cut,
        }
    )


def response_tokens(
    tokenizer: "PreTrainedTokenizerBase", messages: list[dict[str, str]]
) -> tuple[list[int], int]:
    """Token ids up to the end of the last assistant turn, and where that turn begins."""
    last = max(i for i, message in enumerate(messages) if message["role"] == "assistant")
    ids, learnt = tokenise(tokenizer, messages[: last + 1])
    start = len(learnt)
    while start and learnt[start - 1]:
        start -= 1
    # The very first token has nothing before it to be predicted from.
    return ids, max(start, 1)


def split_windows(row: int, ids: list[int], start: int, context: int) -> list[Window]:
    """The windows of at most `context` tokens that score every token from `start` on once."""
    longest = len(ids) - start
    stride = longest if longest < context else context // 2
    windows = []
    for first in range(start, len(ids), stride):
        end = min(first + stride, len(ids))
        left = max(0, end - context)
        windows.append(Window(row, ids[left:end], first - left))
    return windows
