"""Mean-pooled hidden states against one forward pass a conversation."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.common.errors import InputError
from harness.feedback.hidden_states import mean_pooled
from harness.models.loading import load_tokenizer
from harness.models.template import Messages, tokenise
from harness.training.sft import encode_rows
from tests.helpers.tiny_causal_models import (
    CONTEXT,
    KINDS,
    answered,
    make_model,
    reader_of,
    rows_of,
)


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(tiny_model)


def naive(model: PreTrainedModel, rows: list[list[int]]) -> np.ndarray:
    """The mean of the last of all hidden states that the model gives out, row by row."""
    results = []
    for ids in rows:
        with torch.inference_mode():
            out = model(torch.tensor([ids]), output_hidden_states=True)
        results.append(out.hidden_states[-1][0].double().mean(dim=0).numpy())
    return np.array(results)


def pooled(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: list[Messages], **more: object
) -> np.ndarray:
    settings: Any = {"max_length": 2048, "batch_size": 5} | more
    reader = reader_of(model, tokenizer, settings.pop("max_length"))
    return mean_pooled(reader, rows_of(rows), **settings)[0]


@pytest.mark.parametrize("batch_size", [1, 4, 64])
@pytest.mark.parametrize("kind", KINDS)
def test_the_mean_is_that_of_each_row_alone(
    tokenizer: PreTrainedTokenizerBase, kind: str, batch_size: int
) -> None:
    model = make_model(kind, len(tokenizer))
    done: list[int] = []
    result = pooled(model, tokenizer, answered(), batch_size=batch_size, step=done.append)
    expected = naive(model, [tokenise(tokenizer, messages)[0] for messages in answered()])
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)
    assert sum(done) == len(result)


def test_the_state_is_the_one_behind_the_final_norm(tokenizer: PreTrainedTokenizerBase) -> None:
    model: Any = make_model("llama", len(tokenizer))
    before = pooled(model, tokenizer, answered())
    model.model.norm.weight.data *= 3
    np.testing.assert_allclose(pooled(model, tokenizer, answered()), 3 * before, rtol=1e-5)


def test_no_logits_are_computed(tokenizer: PreTrainedTokenizerBase) -> None:
    model: Any = make_model("llama", len(tokenizer))
    expected = pooled(model, tokenizer, answered())
    model.lm_head = None
    np.testing.assert_array_equal(pooled(model, tokenizer, answered()), expected)


@pytest.mark.parametrize("max_length", [1, 12, 2048])
def test_rows_are_cut_as_training_cuts_them(
    tokenizer: PreTrainedTokenizerBase, max_length: int
) -> None:
    model = make_model("llama", len(tokenizer))
    long = [
        {"role": "user", "content": "Count."},
        {"role": "assistant", "content": "one two " * 200},
    ]
    rows = [answered()[0], long]
    most = min(max_length, CONTEXT)
    result = pooled(model, tokenizer, rows, max_length=max_length)
    expected = naive(model, [tokenise(tokenizer, messages)[0][:most] for messages in rows])
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)
    if max_length > CONTEXT:
        read = encode_rows(tokenizer, rows, most)[0]
        expected = naive(model, [row["input_ids"] for row in read])
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


def test_a_model_in_training_is_read_without_dropout(tokenizer: PreTrainedTokenizerBase) -> None:
    model = make_model("gpt2", len(tokenizer))
    expected = pooled(model, tokenizer, answered())
    model.train()
    np.testing.assert_array_equal(pooled(model, tokenizer, answered()), expected)
    assert model.training


@pytest.mark.parametrize("batch_size", [1, 64])
def test_states_that_are_nan_are_reported_with_the_instance(
    tokenizer: PreTrainedTokenizerBase, batch_size: int
) -> None:
    model: Any = make_model("llama", len(tokenizer))
    odd = [{"role": "user", "content": "🙂"}, {"role": "assistant", "content": "Yes."}]
    rows = [*answered()[:3], odd, *answered()[3:]]
    others = [token for row in answered() for token in tokenise(tokenizer, row)[0]]
    only = set(tokenise(tokenizer, odd)[0]).difference(others)
    model.model.embed_tokens.weight.data[min(only)] = torch.nan
    with pytest.raises(InputError, match=r"^instance 'id3': .*hidden states are NaN"):
        pooled(model, tokenizer, rows, batch_size=batch_size)


def test_no_rows_have_no_means(tokenizer: PreTrainedTokenizerBase) -> None:
    model = make_model("llama", len(tokenizer))
    assert pooled(model, tokenizer, []).shape == (0, 32)
