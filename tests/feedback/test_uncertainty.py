"""Uncertainty against plain loops over the tokens of each response."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.common.errors import InputError
from harness.feedback import uncertainty as module
from harness.feedback.uncertainty import CRITERIA, uncertainty
from harness.models import likelihood
from harness.models.loading import load_tokenizer
from harness.models.template import Messages, tokenise
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


@pytest.fixture(scope="module")
def llama(tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    return make_model("llama", len(tokenizer))


def naive(p: list[float], criterion: str) -> float:
    """The definition, of one distribution."""
    first, second = sorted(p)[-1], sorted(p)[-2]
    if criterion == "least_confidence":
        return 1 - first
    if criterion == "margin":
        return -(first - second)
    return -sum(one * math.log(one) for one in p if one)


def naive_mean(model: PreTrainedModel, ids: list[int], learnt: list[bool], criterion: str) -> float:
    with torch.inference_mode():
        p = torch.softmax(model(torch.tensor([ids])).logits[0].double(), dim=-1)
    results = [naive(p[i - 1].tolist(), criterion) for i in range(1, len(ids)) if learnt[i]]
    return sum(results) / len(results)


def uncertain(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[Messages],
    criterion: str = "entropy",
    **more: object,
) -> np.ndarray:
    settings: Any = {"max_length": 2048, "batch_size": 5} | more
    reader = reader_of(model, tokenizer, settings.pop("max_length"))
    return uncertainty(reader, rows_of(rows), criterion, **settings)[0]


@pytest.mark.parametrize("batch_size", [1, 64])
@pytest.mark.parametrize("criterion", list(CRITERIA))
@pytest.mark.parametrize("kind", KINDS)
def test_the_value_is_the_mean_over_what_training_learns(
    tokenizer: PreTrainedTokenizerBase, kind: str, criterion: str, batch_size: int
) -> None:
    model = make_model(kind, len(tokenizer))
    rows = answered()
    done: list[int] = []
    result = uncertain(model, tokenizer, rows, criterion, batch_size=batch_size, step=done.append)
    expected = [naive_mean(model, *tokenise(tokenizer, row), criterion) for row in rows]
    assert result.dtype == np.float64
    np.testing.assert_allclose(result, expected, rtol=1e-4)
    assert np.ptp(result) > 1e-3
    assert sum(done) == len(rows)


@pytest.mark.parametrize(
    ("criterion", "value"),
    [("least_confidence", lambda v: 1 - 1 / v), ("margin", lambda _: 0), ("entropy", math.log)],
)
def test_nothing_is_less_certain_than_a_model_that_knows_nothing(
    tokenizer: PreTrainedTokenizerBase,
    llama: PreTrainedModel,
    criterion: str,
    value: Callable[[int], float],
) -> None:
    blank = make_model("llama", len(tokenizer))
    for weights in blank.parameters():
        torch.nn.init.zeros_(weights)
    most = value(len(tokenizer))
    result = uncertain(blank, tokenizer, answered(), criterion)
    np.testing.assert_allclose(result, most, atol=1e-12)
    assert (uncertain(llama, tokenizer, answered(), criterion) < most).all()


@pytest.mark.parametrize("criterion", list(CRITERIA))
def test_a_model_that_is_sure_still_differs_in_how_sure(
    tokenizer: PreTrainedTokenizerBase, criterion: str
) -> None:
    sure: Any = make_model("llama", len(tokenizer))
    sure.lm_head = torch.nn.Linear(32, len(tokenizer))
    torch.nn.init.zeros_(sure.lm_head.weight)
    torch.nn.init.zeros_(sure.lm_head.bias)
    results = []
    for logit in (30.0, 33.0, 500.0):  # 1 - p is 4e-11, 2e-12, 0
        sure.lm_head.bias.data[5] = logit
        results.append(uncertain(sure, tokenizer, answered()[:2], criterion)[0])
    assert results[0] > results[1] > results[2]
    assert results[2] == pytest.approx(-1 if criterion == "margin" else 0, abs=1e-100)


def test_large_vocabularies_change_the_memory_only(
    tokenizer: PreTrainedTokenizerBase, llama: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = uncertain(llama, tokenizer, answered(), batch_size=64)
    vocabulary, most, rows = len(tokenizer), [], []
    entropy = CRITERIA["entropy"]
    monkeypatch.setitem(CRITERIA, "entropy", lambda p: most.append(p.numel()) or entropy(p))
    monkeypatch.setattr(module, "_MOST_AT_ONCE", 3 * vocabulary)
    monkeypatch.setattr(likelihood, "_MOST_LOGITS", 200 * vocabulary)
    hook = llama.register_forward_pre_hook(lambda _, args: rows.append(args[0].numel()))
    result = uncertain(llama, tokenizer, answered(), batch_size=64)
    hook.remove()
    np.testing.assert_allclose(result, expected, rtol=1e-5)
    assert max(most) == 3 * vocabulary
    assert max(rows) <= 200 < sum(rows)


def test_rows_are_cut_as_scorers_cut_them(
    tokenizer: PreTrainedTokenizerBase, llama: PreTrainedModel
) -> None:
    def row(asked: str, answer: str) -> Messages:
        return [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]

    rows = [row("Count.", "one two " * 200), row("la " * 300, "The capital.")]
    result = uncertain(llama, tokenizer, rows)
    ids, learnt = tokenise(tokenizer, rows[0])
    assert result[0] == pytest.approx(
        naive_mean(llama, ids[:CONTEXT], learnt[:CONTEXT], "entropy"), rel=1e-5
    )
    # Training would drop the second: its response is read behind the end of its prompt.
    ids, learnt = tokenise(tokenizer, rows[1])
    start = learnt.index(True) - CONTEXT // 2
    kept = slice(start, start + CONTEXT)
    assert result[1] == pytest.approx(
        naive_mean(llama, ids[kept], learnt[kept], "entropy"), rel=1e-5
    )


@pytest.mark.parametrize("criterion", list(CRITERIA))
def test_logits_that_are_nan_are_reported_with_the_instance(
    tokenizer: PreTrainedTokenizerBase, criterion: str
) -> None:
    model: Any = make_model("llama", len(tokenizer))
    odd = [{"role": "user", "content": "🙂"}, {"role": "assistant", "content": "Yes."}]
    others = [token for row in answered() for token in tokenise(tokenizer, row)[0]]
    only = set(tokenise(tokenizer, odd)[0]).difference(others)
    model.model.embed_tokens.weight.data[min(only)] = torch.nan
    rows = [*answered()[:3], odd, *answered()[3:]]
    for batch_size in (1, 64):
        with pytest.raises(InputError, match=r"^instance 'id3': .*logits are NaN"):
            uncertain(model, tokenizer, rows, criterion, batch_size=batch_size)


def test_a_conversation_without_a_response_is_reported(
    tokenizer: PreTrainedTokenizerBase, llama: PreTrainedModel
) -> None:
    asked = [{"role": "user", "content": "Hello?"}]
    with pytest.raises(InputError, match="instance 'id1': no token of a response"):
        uncertain(llama, tokenizer, [answered()[0], asked])
    assert uncertain(llama, tokenizer, []).shape == (0,)
