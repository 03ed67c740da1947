"""Response bits-per-byte: how well a model predicts held-out answers, whatever its vocabulary."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from harness.progress import progress
from harness.schemas import PoolRows
from harness.template import about, tokenise

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_BATCH_TOKENS = 16_384  # logits of one batch: 8 GB at a vocabulary of 128k


class Window(NamedTuple):
    """A stretch of a conversation's tokens, of which those from `start` on are scored."""

    row: int
    ids: list[int]
    start: int


def bits_per_byte(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    heldout: "pd.DataFrame",
    batch_size: int,
) -> "pd.DataFrame":
    """Bits per byte of each row's response; columns source, item, prediction, score, weight, cut.

    A row's bits are the sum of -log2 p over the tokens of its last assistant turn given all before
    it, the end token included: where an answer stops is part of it, and no code without it could
    be read back. Its bytes (weight) are those of the response in UTF-8, the end token none; score
    is bits / bytes, so that the mean of scores weighted by bytes is all bits over all bytes.
    What exceeds the model's context is cut from the left of the prompt; a response that alone
    exceeds it is scored in stretches of half a context, each with the half before it in view.
    `cut` tells such rows. `prediction` is empty. Batches hold rows of like length; the result does
    not depend on them but for rounding.
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
    bits = [0.0] * len(cut)
    for batch in progress(_batches(windows, batch_size), "bits per byte"):
        for window, value in zip(batch, _window_bits(model, batch), strict=True):
            bits[window.row] += value
    size = heldout["response"].str.encode("utf-8").str.len().astype("float64").to_numpy()
    return pd.DataFrame(
        {
            "source": heldout["source"].to_numpy(),
            "item": (heldout["source"] + ":" + heldout["id"]).to_numpy(),
            "prediction": "",
            "score": [value / length for value, length in zip(bits, size, strict=True)],
            "weight": size,
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
    # Nothing precedes the very first token that could predict it.
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


def _batches(windows: Sequence[Window], batch_size: int) -> list[list[Window]]:
    """Windows by length, longest first, so that a batch has little padding."""
    ordered = sorted(windows, key=lambda window: -len(window.ids))
    batches: list[list[Window]] = []
    for window in ordered:
        last = batches[-1] if batches else None
        if last and len(last) < batch_size and (len(last) + 1) * len(last[0].ids) <= _BATCH_TOKENS:
            last.append(window)
        else:
            batches.append([window])
    return batches


def _window_bits(model: "PreTrainedModel", batch: list[Window]) -> list[float]:
    """Sum of -log2 p over the scored tokens of each window."""
    import torch

    length = len(batch[0].ids)
    first = min(window.start for window in batch) - 1
    ids = torch.zeros((len(batch), length), dtype=torch.long)
    wanted = torch.zeros((len(batch), length), dtype=torch.bool)
    for i, window in enumerate(batch):
        ids[i, : len(window.ids)] = torch.tensor(window.ids)
        wanted[i, window.start : len(window.ids)] = True
    ids, wanted = ids.to(model.device), wanted[:, first + 1 :].to(model.device)
    with torch.inference_mode():
        # Padding stands to the right, where a causal model's earlier positions do not see it.
        logits = model(
            ids, logits_to_keep=torch.arange(first, length - 1, device=ids.device)
        ).logits
        targets = ids[:, first + 1 :][wanted]
        logs = torch.log_softmax(logits[wanted].float(), dim=-1)
        chosen = logs.gather(1, targets[:, None])[:, 0].double()
        table = torch.zeros(wanted.shape, dtype=torch.float64, device=ids.device)
        table[wanted] = chosen
    return (-table.sum(dim=1) / math.log(2)).tolist()
