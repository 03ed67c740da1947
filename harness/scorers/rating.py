"""Ratings by a causal language model: the mean of the digits 1 to 6 by probability.

Liu et al. 2023, "What Makes Good Data for Alignment?", section 2.2 and its released code: the
softmax is over the logits of the six digits alone, at the position after the prompt. The published
scorers are 7B Llamas. A conversation's score is the mean of its turns. (The released filter sums
complexity times quality over turns: for single turns, the product of the two columns.)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.common.errors import InputError
from harness.common.progress import Step
from harness.common.schemas import PoolRows
from harness.models.batches import length_batches, padded
from harness.models.loading import check_ids
from harness.models.reader import Reader
from harness.models.template import encode, mark
from harness.scorers.chunks import in_chunks

if TYPE_CHECKING:
    from jinja2 import Template
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

DIGITS = "123456"
PROMPTS = Path(__file__).parent / "prompts"


@dataclass(frozen=True)
class Question:
    """A prompt in a tokenizer's tokens: how it ends, and the tokens of its answers."""

    prompt: str  # a file of PROMPTS, without its suffix
    space: bool  # whether the prompt keeps the space it ends in
    end: int  # tokens after the text asked about
    answers: list[int]  # of "1" to "6"


def rate(
    prompt: str, pool: PoolRows, scratch: Path | None, reader: Reader, batch_size: int
) -> np.ndarray:
    """The expected digit for each instance, 1 to 6: (n,); of a conversation, the mean of its turns.

    A prompt that is too long loses the end of the text that it asks about. Raises InputError for a
    tokenizer without a single token for each digit.
    """
    question = read_question(reader.tokenizer, prompt)

    def score(rows: PoolRows, step: Step) -> tuple[np.ndarray, ...]:
        turns = [learnt_pairs(messages) for messages in rows.conversations()]
        sizes = np.array([len(pairs) for pairs in turns])
        whole = [ids_of(reader.tokenizer, question, *turn) for pairs in turns for turn in pairs]
        owners = np.repeat(np.arange(len(rows)), sizes)
        was_cut = np.bincount(owners, [len(ids) > reader.most for ids in whole], len(rows)) > 0
        most, end = reader.most, question.end
        ids = [
            one if len(one) <= most else [*one[: max(0, most - end)], *one[-end:]][-most:]
            for one in whole
        ]
        left = sizes.copy()

        def count(batch: np.ndarray) -> None:
            np.subtract.at(left, owners[batch], 1)
            step(int((left[np.unique(owners[batch])] == 0).sum()))

        ratings = _ratings(reader, ids, question, batch_size, count)
        tokens = np.bincount(owners, [len(one) for one in ids], len(rows))
        return np.bincount(owners, ratings, len(rows)) / sizes, was_cut, tokens

    return in_chunks(pool, prompt, scratch, score, reader.most)[0]


def learnt_pairs(messages: Sequence[dict[str, str]]) -> list[tuple[str, str]]:
    """(instruction, response) of every learnt turn; the turns before it are its instruction."""
    pairs: list[tuple[str, str]] = []
    asked: list[str] = []
    for message in messages:
        if message["role"] == "assistant":
            if "weight" not in message:  # 0: not to be learnt
                pairs.append(("\n\n".join(asked), message["content"]))
            asked = []
        else:
            asked.append(message["content"])
    return pairs


def prompt_text(prompt: str, instruction: str, response: str) -> str:
    """The prompt of that name, filled in."""
    return _template(prompt).render(instruction=instruction, response=response)


@cache
def _template(prompt: str) -> "Template":
    from jinja2 import Template

    return Template((PROMPTS / f"{prompt}.jinja").read_text(encoding="utf-8"))


def read_question(tokenizer: "PreTrainedTokenizerBase", prompt: str) -> Question:
    """How the tokenizer encodes the prompt's end and the digits after it.

    The published prompts end in a space. If the tokenizer encodes a space and a digit as one token,
    the prompt drops its space.
    """
    text = prompt_text(prompt, "x", "x")
    end = prompt_text(prompt, "\0", "\0").rpartition("\0")[2]
    for space in (True, False):
        before = _ids(tokenizer, text if space else text.rstrip(" "))
        answers = []
        for digit in DIGITS:
            ids = _ids(tokenizer, text + digit)
            if len(ids) == len(before) + 1 and ids[:-1] == before:
                answers.append(ids[-1])
        if len(set(answers)) == len(DIGITS):
            end = end if space else end.rstrip(" ")
            return Question(prompt, space, len(_ids(tokenizer, end)), answers)
    raise InputError(
        f"scorer {prompt}: {tokenizer.name_or_path}: its tokenizer has no single token for each of "
        "the digits 1 to 6; use a model that has"
    )


def ids_of(
    tokenizer: "PreTrainedTokenizerBase", question: Question, instruction: str, response: str
) -> list[int]:
    """The prompt's token ids, with the special tokens that begin a text."""
    asked, answer = mark(tokenizer, instruction), mark(tokenizer, response)
    text = prompt_text(question.prompt, asked, answer)
    return _ids(tokenizer, text if question.space else text.rstrip(" "))


def _ids(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    ids = encode(tokenizer, [text], add_special_tokens=True)[0]
    # Some tokenizers end every text with a token; here the answer follows.
    return ids[:-1] if len(ids) > 1 and ids[-1] == tokenizer.eos_token_id else ids


def _ratings(
    reader: Reader,
    rows: Sequence[list[int]],
    question: Question,
    batch_size: int,
    count: Callable[[np.ndarray], None],
) -> np.ndarray:
    """The expected digit of each prompt; ``count`` receives the indices of each batch."""
    check_ids(reader.model, rows)
    ratings = np.zeros(len(rows))
    for batch in length_batches([len(ids) for ids in rows], batch_size):
        logits = _last_logits(reader.model, [rows[i] for i in batch])[:, question.answers]
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        ratings[batch] = weights @ np.arange(1, 7) / weights.sum(axis=1)
        count(np.asarray(batch))
    return ratings


def _last_logits(model: "PreTrainedModel", batch: list[list[int]]) -> np.ndarray:
    """The logits after each row's last token: (rows, vocabulary) float64."""
    import torch

    lengths = torch.tensor([len(ids) for ids in batch])
    places, which = torch.unique(lengths - 1, return_inverse=True)
    with torch.inference_mode():
        keep, ids = places.to(model.device), padded(batch).to(model.device)
        logits = model(ids, logits_to_keep=keep, use_cache=False).logits
        last = logits[torch.arange(len(batch)), which]
    return last.double().cpu().numpy()
