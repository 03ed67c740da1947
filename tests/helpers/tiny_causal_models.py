"""Random causal language models of several kinds, over one tokenizer's vocabulary."""

import json
from typing import Any

import pandas as pd
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from harness.common.schemas import PoolRows
from harness.models.reader import Reader
from harness.models.template import Messages

KINDS = ["llama", "gpt2", "mistral_window", "bloom"]
CONTEXT = 160

WORDS = ["capital", "of", "Zanu", "is", "Lubi", "two", "plus", "five", "Name", "return", "Grüße"]


def make_model(kind: str, vocabulary: int) -> PreTrainedModel:
    """A float32 model with weights large enough that its greedy tokens vary."""
    # What all models have in common; 1 is the tokenizer's end token.
    common: dict[str, Any] = {
        "vocab_size": vocabulary,
        "initializer_range": 0.2,
        "bos_token_id": None,
        "eos_token_id": 1,
        "pad_token_id": 0,
    }
    shape: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT,
    }
    with torch.random.fork_rng():
        torch.manual_seed(1)
        if kind == "llama":
            model = LlamaForCausalLM(LlamaConfig(**common, **shape))
        elif kind == "gpt2":
            size: dict[str, Any] = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT}
            drop: dict[str, Any] = {"resid_pdrop": 0.5, "embd_pdrop": 0.5}
            model = GPT2LMHeadModel(GPT2Config(**common, **size, **drop))
        elif kind == "mistral_window":
            model = MistralForCausalLM(MistralConfig(**common, **shape, sliding_window=9))
        else:
            model = BloomForCausalLM(BloomConfig(**common, hidden_size=32, n_layer=2, n_head=4))
    return model.eval()


def reader_of(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, max_length: int = 2048
) -> Reader:
    """The model, reading at most so many tokens, or its context where that is less."""
    context = getattr(model.config, "max_position_embeddings", None) or max_length
    return Reader(model, tokenizer, min(context, max_length))


def rows_of(conversations: list[Messages]) -> PoolRows:
    """The conversations as rows of a pool: id0, id1, ..."""
    texts = {f"id{i}": json.dumps(messages) for i, messages in enumerate(conversations)}
    return PoolRows(pd.DataFrame({"id": list(texts), "messages": list(texts.values())}))


def questions() -> list[Messages]:
    """Prompts of 1 to 80 words, in no order of length, one of several turns."""
    lengths = [3, 80, 1, 17, 5, 40, 2, 9, 28, 4, 13, 6]
    asked = [
        [{"role": "user", "content": " ".join(WORDS[(i * 5 + j) % len(WORDS)] for j in range(n))}]
        for i, n in enumerate(lengths)
    ]
    turn = {"role": "assistant", "content": "Lubi."}
    return [*asked, [{"role": "system", "content": "Be brief."}, *asked[0], turn, *asked[2]]]


def answered() -> list[Messages]:
    """The same with a response each."""
    return [
        [*asked, {"role": "assistant", "content": " ".join(WORDS[i % 7 : i % 7 + 1 + i])}]
        for i, asked in enumerate(questions())
    ]
