"""Perplexity and instruction-following difficulty against loops over one token at a time."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.common.errors import InputError
from harness.common.schemas import PoolRows
from harness.models.likelihood import Text, cut, read_texts
from harness.models.loading import load_model, load_tokenizer
from harness.scorers.ifd import alone, begin_token, ifd
from harness.scorers.perplexity import perplexity
from harness.training.sft import encode_rows
from tests.helpers.scored_rows import POOL, decoded, naive_losses, pair, pool_of, with_columns


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> PreTrainedModel:
    return load_model(tiny_model).eval()


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(tiny_model)


@pytest.fixture(scope="module")
def naive(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> np.ndarray:
    """Losses given the instruction and alone, and the number of tokens, of each row: (n, 3)."""
    begin = begin_token(tokenizer)
    rows = list(POOL.conversations())
    return np.array([naive_losses(model, tokenizer, row, begin) for row in rows])


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_perplexity_equals_the_definition_for_any_batch(
    tiny_model: Path, naive: np.ndarray, batch_size: int
) -> None:
    result = perplexity(POOL, model=str(tiny_model), batch_size=batch_size)
    assert result.dtype == np.float64
    np.testing.assert_allclose(result, np.exp(naive[:, 0] / naive[:, 2]), rtol=2e-5)


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_ifd_equals_the_definition_for_any_batch(
    tiny_model: Path, naive: np.ndarray, batch_size: int
) -> None:
    result = ifd(POOL, model=str(tiny_model), batch_size=batch_size)
    np.testing.assert_allclose(result, naive[:, 0] / naive[:, 1], rtol=2e-5)
    other = ifd(POOL, model=str(tiny_model), batch_size=batch_size, ratio="perplexity")
    expected = np.exp((naive[:, 0] - naive[:, 1]) / naive[:, 2])
    np.testing.assert_allclose(other, expected, rtol=2e-5)


def test_a_model_that_knows_nothing(tiny_model: Path, tmp_path: Path) -> None:
    uniform = load_model(tiny_model)
    for weights in uniform.parameters():
        torch.nn.init.zeros_(weights)
    uniform.save_pretrained(tmp_path)
    load_tokenizer(tiny_model).save_pretrained(tmp_path)
    result = perplexity(POOL, model=str(tmp_path))
    np.testing.assert_allclose(result, uniform.config.vocab_size, rtol=1e-5)
    np.testing.assert_allclose(ifd(POOL, model=str(tmp_path)), 1, rtol=1e-6)


def test_the_scored_tokens_are_those_training_learns(tokenizer: PreTrainedTokenizerBase) -> None:
    long = pool_of(pair("Count.", "one two three " * 60), *POOL.conversations())
    texts, was_cut = read_texts(long, tokenizer, 100)
    rows, truncated, dropped = encode_rows(tokenizer, list(long.conversations()), 100)
    assert (truncated, dropped) == (1, 0)
    assert was_cut.tolist() == [True] + [False] * 5
    for text, row in zip(texts, rows, strict=True):
        assert text.ids == row["input_ids"]
        assert text.scored == [label != -100 for label in row["labels"]]


def test_a_prompt_longer_than_the_model_loses_its_beginning(
    tiny_model: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    pool = pool_of(pair("start " + "la " * 300 + "end", "The capital."), pair("One?", "1"))
    texts, was_cut = read_texts(pool, tokenizer, 128)
    assert was_cut.tolist() == [True, False]
    long = texts[0]
    assert decoded(tokenizer, long.ids).endswith("### Response:\nThe capital.<eos>")
    assert long.scored.index(True) == 64
    with torch.inference_mode():
        logs = torch.log_softmax(model(torch.tensor([long.ids])).logits[0].double(), dim=-1)
    scored = [i for i, one in enumerate(long.scored) if one]
    expected = -sum(float(logs[i - 1, long.ids[i]]) for i in scored) / len(scored)
    result = perplexity(pool, model=str(tiny_model))
    assert math.log(result[0]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("most", [2, 3, 8, 20])
@pytest.mark.parametrize("start", [1, 2, 7, 19, 30])
def test_every_cut_leaves_something_to_score(start: int, most: int) -> None:
    text = Text(list(range(40)), [False] * start + [True] * (40 - start))
    short = cut(text, most)
    assert len(short.ids) == len(short.scored) <= most
    assert any(short.scored)
    assert not short.scored[0]
    first = short.ids[0]
    assert short.ids == text.ids[first : first + len(short.ids)]
    assert short.scored == text.scored[first : first + len(short.ids)]
    assert first == 0 or start >= most


def test_cuts_are_counted(tiny_model: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "harness"):
        perplexity(POOL, model=str(tiny_model))
        assert "cut" not in caplog.text
        perplexity(POOL, model=str(tiny_model), max_length=30)
    assert "perplexity: 1 of 5 rows are over 30 tokens: cut" in caplog.text


def test_a_turn_alone_is_its_tokens_behind_the_begin_token() -> None:
    text = Text([5, 6, 7, 8, 9, 10], [False, True, True, False, False, True])
    assert alone(text, 1) == [
        Text([1, 6, 7], [False, True, True]),
        Text([1, 10], [False, True]),
    ]


def test_a_text_begins_by_bos_else_by_the_end_token(tokenizer: PreTrainedTokenizerBase) -> None:
    import copy

    other = copy.deepcopy(tokenizer)
    assert begin_token(other) == tokenizer.eos_token_id
    other.bos_token = "<pad>"
    assert begin_token(other) == tokenizer.pad_token_id
    other.bos_token = other.eos_token = None
    with pytest.raises(InputError, match="the tokenizer has neither bos_token nor eos_token"):
        begin_token(other)


def test_an_informative_instruction_lowers_the_difficulty(tiny_model: Path, tmp_path: Path) -> None:
    """A model that has learnt to repeat its prompt finds the repetition easy, not the rest."""
    from harness.params.training import TrainParams
    from harness.training.sft import train

    words = ["Lubi", "Zanu", "Borel", "five", "three", "naïve", "return", "capital"]
    rows = [pair(f"Say {a} {b}.", f"{a} {b}") for a in words for b in words]
    params = TrainParams(epochs=30, learning_rate=5e-3, batch_size=16)
    train(tiny_model, rows, tmp_path / "m", params, seed=0)
    others = [pair("Say return capital.", f"{a} {b}") for a in words[:3] for b in words[1:4]]
    result = ifd(pool_of(*rows[:6], *others), model=str(tmp_path / "m"))
    assert result[:6].max() < 0.5
    assert result[6:].min() > result[:6].max()


def test_an_instance_without_a_response_is_named(tiny_model: Path) -> None:
    other = with_columns(pool_of([{"role": "user", "content": "Hello?"}]), id="z")
    pool = PoolRows(pd.concat([POOL.frame, other.frame]))
    with pytest.raises(InputError, match="instance 'z': no token of a response"):
        perplexity(pool, model=str(tiny_model))
