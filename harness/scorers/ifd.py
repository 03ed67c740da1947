"""Instruction-following difficulty: how little the instruction helps to predict its response."""

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.common.errors import InputError
from harness.common.progress import Step
from harness.common.schemas import PoolRows
from harness.models.likelihood import Text, losses, read_texts
from harness.models.loading import Device, load_model
from harness.models.reader import Count, Reader, Threads, Tokens, read_with
from harness.models.template import ensure_template
from harness.scorers.chunks import finite, in_chunks
from harness.scorers.responses import read_responses

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def ifd(
    pool: PoolRows,
    scratch: Path | None = None,
    responses: np.ndarray | None = None,
    *,
    model: str = "base",
    revision: str | None = None,
    ratio: Literal["loss", "perplexity"] = "loss",
    template: str = "alpaca",
    max_length: Tokens = 2048,
    batch_size: Count = 32,
    device: Device = "auto",
    threads: Threads = 1,
) -> np.ndarray:
    """Loss of each response given its instruction over its loss alone: (n,), all positive.

    L(A|Q) / L(A), each the mean of -ln p over the response's tokens: Li et al. 2023, "From Quantity
    to Quality", and its released code. ``ratio: perplexity`` is exp(L(A|Q) - L(A)), the ratio of
    perplexities of Li et al. 2024, "Superfiltering". Near or above 1 the instruction does not help.

    The response alone is the same tokens after the token that begins a text (BOS, else the end
    token), so that both means are over the same tokens. (The released code keeps the heading
    "### Response:" there.) In a conversation each turn stands alone; the means are over all turns.
    Long ones are cut as for `perplexity`.
    """
    if responses is None:
        responses = read_responses(
            pool,
            None,
            "ifd",
            model=model,
            revision=revision,
            template=template,
            max_length=max_length,
            batch_size=batch_size,
            device=device,
            threads=threads,
        )
    reader = read_with(load_model, model, revision, max_length, device, threads)
    ensure_template(reader.tokenizer, template)
    without = _read_alone(pool, scratch, reader, batch_size)
    with_it, counts = responses
    with np.errstate(all="ignore"):  # NaN and infinity are reported
        if ratio == "perplexity":
            return finite("ifd", pool, np.exp((with_it - without) / counts))
        return finite("ifd", pool, with_it / without)


def _read_alone(
    pool: PoolRows, scratch: Path | None, reader: Reader, batch_size: int
) -> np.ndarray:
    """The sum of -ln p over each row's learnt tokens, every turn alone: (n,)."""
    begin = begin_token(reader.tokenizer)

    def score(rows: PoolRows, step: Step) -> tuple[np.ndarray, ...]:
        given, _ = read_texts(rows, reader.tokenizer, reader.most)
        turns = [alone(text, begin) for text in given]
        owners = np.repeat(np.arange(len(given)), [len(texts) for texts in turns])
        flat = [turn for texts in turns for turn in texts]
        done = 0

        def count(turns: int) -> None:  # in rows, which is what is counted
            nonlocal done
            before, done = done, done + turns
            step(done * len(rows) // len(flat) - before * len(rows) // len(flat))

        sums = np.bincount(owners, losses(reader.model, flat, batch_size, count), len(given))
        tokens = np.bincount(owners, [len(turn.ids) for turn in flat], len(given))
        # What was cut is counted where the responses are read.
        return sums, np.zeros(len(given)), tokens

    return in_chunks(pool, "ifd", scratch, score, reader.most)[0]


def begin_token(tokenizer: "PreTrainedTokenizerBase") -> int:
    """The token that begins a text: BOS, else the end token."""
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if isinstance(token, int):
            return token
    raise InputError(f"{tokenizer.name_or_path}: the tokenizer has neither bos_token nor eos_token")


def alone(text: Text, begin: int) -> list[Text]:
    """Each run of scored tokens as a text of its own after the token `begin`."""
    texts = []
    for scored, group in groupby(zip(text.ids, text.scored, strict=True), key=lambda pair: pair[1]):
        if scored:
            ids = [token for token, _ in group]
            texts.append(Text([begin, *ids], [False] + [True] * len(ids)))
    return texts
