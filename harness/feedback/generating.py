"""Completions of many prompts at once, each equal to what its prompt alone would get."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.common.errors import InputError
from harness.common.progress import Step
from harness.feedback.decoding import Decoding
from harness.feedback.inference import inferring
from harness.launching.ranks import gathered, shard, world
from harness.models.batches import length_batches
from harness.models.reader import Reader
from harness.models.template import Messages, about, encode, render, stop_tokens
from harness.reward_model.classifier import cut_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Completions:
    """A model's answers to n prompts, in order.

    texts: without special tokens. tokens: (n,) int64, generated tokens less the end token.
    prompted: (n,) int64, tokens of the prompt that were read. cut: (n,) bool, the prompt was too
    long and lost its beginning. capped: (n,) bool, no end token came.
    """

    texts: list[str]
    tokens: np.ndarray
    prompted: np.ndarray
    cut: np.ndarray
    capped: np.ndarray


def complete(
    reader: Reader,
    conversations: Sequence[Messages],
    *,
    max_new_tokens: int,
    temperature: float,
    batch_size: int,
    seed: int,
    names: Sequence[str],
    step: Step = lambda _: None,
) -> Completions:
    """Let a causal language model write the assistant turn that follows each conversation.

    Prompts of like length share a batch, which changes logits by rounding only. A prompt with its
    answer fits what the model reads: a longer prompt loses its beginning (`cut_ids`).
    Temperature 0 takes the likeliest token; else tokens are drawn from softmax(logits /
    temperature) by a generator of the seed and the conversation's position. `names` are those of
    the conversations in messages; `step` receives how many more are done.

    Raises InputError for more new tokens than the model reads, a conversation that is empty or
    already ends with an assistant turn, and logits that are NaN or infinite.
    """
    model, tokenizer, most = reader.model, reader.tokenizer, reader.most - max_new_tokens
    if most < 1:
        raise InputError(
            f"max_new_tokens: {max_new_tokens} leaves a prompt no room in the "
            f"{reader.most} tokens that the model reads at most (its context, or "
            "rounds.max_length where that is less); ask for fewer"
        )
    whole = _prompts(tokenizer, conversations, names)
    prompts = [cut_ids(tokenizer, ids, most) for ids in whole]
    ends = {*stop_tokens(model, tokenizer)}
    new: dict[int, list[int]] = {}

    def each(done: int) -> None:
        step(done * world())

    with inferring(model):
        sizes = [len(ids) + max_new_tokens for ids in prompts]
        for batch in shard(length_batches(sizes, batch_size)):
            rngs = [np.random.default_rng([seed, i]) for i in batch]
            draws = np.array([rng.random(max_new_tokens) for rng in rngs]) if temperature else None
            decoding = Decoding(model, [prompts[i] for i in batch], max_new_tokens)
            ids = decoding.run(ends, temperature, draws, [names[i] for i in batch], each)
            new.update(zip(batch, ids, strict=True))
    every = {i: ids for part in gathered(new) for i, ids in part.items()}
    written = [every[i] for i in range(len(prompts))]
    capped = [not ids or ids[-1] not in ends for ids in written]
    answers = [ids if open_ else ids[:-1] for ids, open_ in zip(written, capped, strict=True)]
    return Completions(
        texts=[
            str(tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))
            for ids in answers
        ],
        tokens=np.array([len(ids) for ids in answers], dtype=np.int64),
        prompted=np.array([len(ids) for ids in prompts], dtype=np.int64),
        cut=np.array([len(ids) > most for ids in whole], dtype=bool),
        capped=np.array(capped, dtype=bool),
    )


def _prompts(
    tokenizer: "PreTrainedTokenizerBase",
    conversations: Sequence[Messages],
    names: Sequence[str],
) -> list[list[int]]:
    """Token ids of each prompt, up to where the answer begins."""
    texts = []
    for name, messages in zip(names, conversations, strict=True):
        if not messages or messages[-1]["role"] == "assistant":
            last = "holds no message" if not messages else "ends with an assistant turn"
            rule = f"its conversation {last}; give the messages up to the turn that is asked for"
            raise InputError(f"{name}: {rule}")
        with about(name):
            texts.append(render(tokenizer, list(messages), add_generation_prompt=True))
    prompts = encode(tokenizer, texts)
    if [] in prompts:
        rule = "its prompt has no token; see the chat template"
        raise InputError(f"{names[prompts.index([])]}: {rule}")
    return prompts
