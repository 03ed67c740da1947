"""What a model answers: completions of many prompts at once, row by row what one alone would be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.common.errors import InputError
from harness.common.progress import Step
from harness.feedback.decoding import Decoding
from harness.feedback.inference import check_counts, looking_at, most_tokens, name_of
from harness.models.batches import length_batches
from harness.models.template import Messages, about, encode, render, stop_tokens
from harness.reward_model.classifier import cut_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Completions:
    """What a model answered to n prompts, in their order.

    texts: without special tokens; empty where the model ends at once. tokens: (n,) int64, generated
    ones, the end token not counted. cut: (n,) bool, the prompt was too long and lost its beginning.
    capped: (n,) bool, no end token came within the cap.
    """

    texts: list[str]
    tokens: np.ndarray
    cut: np.ndarray
    capped: np.ndarray


def complete(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    conversations: Sequence[Messages],
    *,
    max_new_tokens: int,
    max_length: int,
    temperature: float,
    batch_size: int,
    seed: int,
    rows: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    step: Step = lambda _: None,
) -> Completions:
    """Let the model write the assistant turn that follows each conversation.

    Prompts of like length share a batch, which changes logits by rounding only. One that leaves
    less than `max_new_tokens` of `max_length` or the context loses its beginning: `cut_ids`.

    Args:
        model: a causal language model that keeps keys and values, in the precision it is to run in.
        tokenizer: its tokenizer, with a chat template.
        conversations: n message lists, each up to the assistant turn that is asked for.
        max_new_tokens: the cap, from 1; less than `max_length` and the context.
        max_length: of a prompt with its answer, in tokens.
        temperature: 0 takes the likeliest token; else tokens are drawn from softmax(logits / it).
        batch_size: rows side by side, at most.
        seed: with a row's number, what its draws come from; not read at temperature 0.
        rows: the number of each row, for callers that ask in several calls; positions if None.
        names: ids for messages.
        step: hears how many more rows are done.

    Raises InputError for a number out of bounds, a conversation that is empty or already ends with
    an assistant turn, and logits that are NaN or infinite.
    """
    check_counts(max_new_tokens=max_new_tokens, batch_size=batch_size)
    if not 0 <= temperature < float("inf"):
        raise InputError(f"temperature: {temperature} is not a number from 0; 0 is greedy")
    most = _most_of_a_prompt(most_tokens(model, tokenizer, max_length), max_new_tokens)
    whole = _prompts(tokenizer, conversations, names)
    prompts = [cut_ids(tokenizer, ids, most) for ids in whole]
    ends = {*stop_tokens(model, tokenizer)}
    found: list[list[int]] = [[] for _ in prompts]
    numbers = rows or range(len(prompts))
    with looking_at(model):
        for batch in length_batches([len(ids) + max_new_tokens for ids in prompts], batch_size):
            asked = [numbers[i] for i in batch]
            draws = _draws(seed, asked, max_new_tokens) if temperature else None
            decoding = Decoding(model, [prompts[i] for i in batch], max_new_tokens)
            new = decoding.run(ends, temperature, draws, [name_of(names, i) for i in batch], step)
            for i, ids in zip(batch, new, strict=True):
                found[i] = ids
    capped = [not ids or ids[-1] not in ends for ids in found]
    answers = [ids if open_ else ids[:-1] for ids, open_ in zip(found, capped, strict=True)]
    return Completions(
        texts=[_text(tokenizer, ids) for ids in answers],
        tokens=np.array([len(ids) for ids in answers], dtype=np.int64),
        cut=np.array([len(ids) > most for ids in whole], dtype=bool),
        capped=np.array(capped, dtype=bool),
    )


def _most_of_a_prompt(most: int, max_new_tokens: int) -> int:
    """How many tokens a prompt may have where so many are to follow."""
    if most <= max_new_tokens:
        raise InputError(
            f"max_new_tokens: {max_new_tokens} leaves a prompt no room in the {most} tokens that "
            "the model reads at most (its context, or rounds.max_length where that is less); ask "
            "for fewer"
        )
    return most - max_new_tokens


def _draws(seed: int, numbers: Sequence[int], count: int) -> np.ndarray:
    """Uniform numbers, (rows, count): a row's are the same in whatever batch it falls."""
    return np.array([np.random.default_rng([seed, number]).random(count) for number in numbers])


def _prompts(
    tokenizer: "PreTrainedTokenizerBase",
    conversations: Sequence[Messages],
    names: Sequence[str] | None,
) -> list[list[int]]:
    """Token ids of each prompt, rendered up to where the answer begins."""
    for i, messages in enumerate(conversations):
        if not messages or messages[-1]["role"] == "assistant":
            last = "holds no message" if not messages else "ends with an assistant turn"
            raise InputError(
                f"{name_of(names, i)}: its conversation {last}; give the messages up to the turn "
                "that is asked for"
            )
    texts = []
    for i, messages in enumerate(conversations):
        with about(name_of(names, i)):
            texts.append(render(tokenizer, list(messages), add_generation_prompt=True))
    prompts = encode(tokenizer, texts)
    for i, ids in enumerate(prompts):
        if not ids:
            raise InputError(f"{name_of(names, i)}: its prompt has no token; see the chat template")
    return prompts


def _text(tokenizer: "PreTrainedTokenizerBase", ids: list[int]) -> str:
    text = tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    assert isinstance(text, str)
    return text
