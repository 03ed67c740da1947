"""Bits per byte against a loop that takes one token at a time."""

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.evaluation.bits_per_byte import bits_per_byte, response_tokens, split_windows
from harness.models.loading import load_model, load_tokenizer
from harness.models.template import Messages, ensure_template, tokenise


def row(source: str, name: str, messages: Messages) -> dict[str, object]:
    return {
        "id": name,
        "row": 1,
        "prompt": "",
        "response": messages[-1]["content"],
        "messages": json.dumps(messages),
        "source": source,
    }


def pair(prompt: str, response: str) -> Messages:
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]


HELDOUT = pd.DataFrame(
    [
        row("a", "1", pair("Name the capital of Zanu.", "The capital of Zanu is Lubi.")),
        row("a", "2", pair("Add one.", "def f(x): return x + 1")),
        row("b", "1", pair("Grüße?", "süße Grüße 🙂")),
        row("b", "2", pair("One?", "1")),
        row("b", "3", [*pair("One?", "1"), *pair("Two?", "Two plus two is four.")]),
    ]
)


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> PreTrainedModel:
    return load_model(tiny_model).eval()


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> PreTrainedTokenizerBase:
    tokenizer = load_tokenizer(tiny_model)
    ensure_template(tokenizer, "alpaca_short")
    return tokenizer


def measure(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, heldout: pd.DataFrame, batch: int
) -> list[dict[str, Any]]:
    frame = bits_per_byte(model, tokenizer, heldout, batch)
    return [dict(zip(frame.columns, values, strict=True)) for values in frame.to_numpy()]


def naive_bits(model: PreTrainedModel, ids: list[int], start: int, context: int) -> float:
    """-log2 p of each token from `start` on, one at a time, with all that fits before it."""
    bits = 0.0
    for i in range(start, len(ids)):
        before = ids[max(0, i - context) : i]
        with torch.inference_mode():
            logits = model(torch.tensor([before])).logits[0, -1].double()
        bits -= float(torch.log_softmax(logits, dim=-1)[ids[i]]) / math.log(2)
    return bits


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_equals_a_naive_loop(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, batch_size: int
) -> None:
    measured = measure(model, tokenizer, HELDOUT, batch_size)
    for one, messages in zip(measured, HELDOUT["messages"].tolist(), strict=True):
        conversation = json.loads(messages)
        ids, learnt = tokenise(tokenizer, conversation)
        start = len(learnt) - learnt[::-1].index(False)
        assert tokenizer.decode(ids[start:]) == conversation[-1]["content"] + "<eos>"
        size = len(conversation[-1]["content"].encode())
        expected = naive_bits(model, ids, start, 128) / size
        assert one["score"] == pytest.approx(expected, abs=1e-5)
        assert one["weight"] == size
        assert not one["cut"]
    assert [one["item"] for one in measured] == ["a:1", "a:2", "b:1", "b:2", "b:3"]


def test_a_uniform_model_needs_log2_of_the_vocabulary_a_token(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, tiny_model: Path
) -> None:
    uniform = load_model(tiny_model)
    for weights in uniform.parameters():
        torch.nn.init.zeros_(weights)
    measured = measure(uniform, tokenizer, HELDOUT, 64)
    tokens = len(tokenizer("süße Grüße 🙂").input_ids) + 1  # and the end token
    vocabulary = uniform.config.vocab_size
    expected = tokens * math.log2(vocabulary) / len("süße Grüße 🙂".encode())
    assert measured[2]["score"] == pytest.approx(expected, rel=1e-6)


def test_a_long_prompt_is_cut_from_the_left_and_counted(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    messages = pair("start " + "la " * 300 + "end", "The capital.")
    measured = measure(model, tokenizer, pd.DataFrame([row("a", "1", messages)]), 64)
    ids, start = response_tokens(tokenizer, messages)
    assert len(ids) > 128
    kept = ids[-128:]
    expected = naive_bits(model, kept, start - (len(ids) - 128), 128) / len("The capital.")
    assert measured[0]["cut"]
    assert measured[0]["score"] == pytest.approx(expected, abs=1e-5)


def test_a_response_longer_than_the_context_is_scored_whole(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    text = "one two three " * 60
    messages = pair("Count.", text)
    measured = measure(model, tokenizer, pd.DataFrame([row("a", "1", messages)]), 64)
    ids, start = response_tokens(tokenizer, messages)
    assert len(ids) - start > 128
    bits = 0.0
    for first in range(start, len(ids), 64):
        end = min(first + 64, len(ids))
        left = max(0, end - 128)
        bits += naive_bits(model, ids[left:end], first - left, 128)
    assert measured[0]["cut"]
    assert measured[0]["score"] == pytest.approx(bits / len(text), abs=1e-5)


@pytest.mark.parametrize(
    ("start", "length"), [(start, n) for start in (1, 5, 17) for n in range(start + 1, 40)]
)
def test_windows_score_every_token_once_with_enough_in_view(start: int, length: int) -> None:
    ids = list(range(length))
    windows = split_windows(0, ids, start, context=16)
    scored = [token for window in windows for token in window.ids[window.start :]]
    assert scored == ids[start:]
    for window in windows:
        assert len(window.ids) <= 16
        first = window.ids[window.start]
        assert window.start >= 1
        # Half a context before the first scored token, where there is as much and it is needed.
        if length - start >= 16:
            assert window.start >= min(first, 8)
