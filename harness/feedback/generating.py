"""Completions of many prompts at once, each equal to what its prompt alone would get."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.common.errors import InputError
from harness.common.progress import Step
from harness.feedback.decoding import Decoding
from harness.feedback.inference import check_counts, inferring, most_tokens, name_of
from harness.models.batches import length_batches
from harness.models.template import Messages, about, encode, render, stop_tokens
from harness.reward_model.classifier import cut_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Completions:
    """A model's answers to n prompts, in order.

    texts: without special tokens. tokens: (n,) int64, generated tokens less the end token. cut:
    (n,) bool, the prompt was too long and lost its beginning. capped: (n,) bool, no end token came.
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
    """Let a causal language model write the assistant turn that follows each conversation.

    Prompts of like length share a batch, which changes logits by rounding only. A prompt with its
    answer has at most `max_length` tokens and fits the context: a longer prompt loses its
    beginning (`cut_ids`). Temperature 0 takes the likeliest token; else tokens are drawn from
    softmax(logits / temperature) by a generator of the seed and the row's number (`rows`; its
    position if None). `step` receives how many more rows are done.

    Raises InputError for a number out of bounds, a conversation that is empty or already ends with
    an assistant turn, and logits that are NaN or infinite.
    """
    check_counts(max_new_tokens=max_new_tokens, batch_size=batch_size)
    if not 0 <= temperature < float("inf"):
        raise InputError(f"temperature: {temperature} is not a number from 0; 0 is greedy")
    most = most_tokens(model, tokenizer, max_length) - max_new_tokens
    if most < 1:
        raise InputError(
            f"max_new_tokens: {max_new_tokens} leaves a prompt no room in the "
            f"{most + max_new_tokens} tokens that the model reads at most (its context, or "
            "rounds.max_length where that is less); ask for fewer"
        )
    whole = _prompts(tokenizer, conversations, names)
    prompts = [cut_ids(tokenizer, ids, most) for ids in whole]
    ends = {*stop_tokens(model, tokenizer)}
    written: list[list[int]] = [[] for _ in prompts]
    numbers = rows or range(len(prompts))
    with inferring(model):
        for batch in length_batches([len(ids) + max_new_tokens for ids in prompts], batch_size):
            rngs = [np.random.default_rng([seed, numbers[i]]) for i in batch]
            draws = np.array([rng.random(max_new_tokens) for rng in rngs]) if temperature else None
            decoding = Decoding(model, [prompts[i] for i in batch], max_new_tokens)
            new = decoding.run(ends, temperature, draws, [name_of(names, i) for i in batch], step)
            for i, ids in zip(batch, new, strict=True):
                written[i] = ids
    capped = [not ids or ids[-1] not in ends for ids in written]
    answers = [ids if open_ else ids[:-1] for ids, open_ in zip(written, capped, strict=True)]
    return Completions(
        texts=[
            str(tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))
            for ids in answers
        ],
        tokens=np.array([len(ids) for ids in answers], dtype=np.int64),
        cut=np.array([len(ids) > most for ids in whole], dtype=bool),
        capped=np.array(capped, dtype=bool),
    )


def _prompts(
    tokenizer: "PreTrainedTokenizerBase",
    conversations: Sequence[Messages],
    names: Sequence[str] | None,
) -> list[list[int]]:
    """Token ids of each prompt, up to where the answer begins."""
    texts = []
    for i, messages in enumerate(conversations):
        if not messages or messages[-1]["role"] == "assistant":
            last = "holds no message" if not messages else "ends with an assistant turn"
            rule = f"its conversation {last}; give the messages up to the turn that is asked for"
            raise InputError(f"{name_of(names, i)}: {rule}")
        with about(name_of(names, i)):
            texts.append(render(tokenizer, list(messages), add_generation_prompt=True))
    prompts = encode(tokenizer, texts)
    for i, ids in enumerate(prompts):
        if not ids:
            raise InputError(f"{name_of(names, i)}: its prompt has no token; see the chat template")
    return prompts
