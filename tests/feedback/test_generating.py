"""Completions against `generate()` and against plain loops, one prompt at a time."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.common.errors import InputError
from harness.feedback.decoding import draw
from harness.feedback.generating import Completions, complete
from harness.models.loading import load_tokenizer
from harness.models.template import Messages, encode, render
from tests.helpers.tiny_causal_models import CONTEXT, KINDS, make_model, questions, reader_of

CAP = 24


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(tiny_model)


@pytest.fixture(scope="module")
def llama(tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    return make_model("llama", len(tokenizer))


def ids_of(tokenizer: PreTrainedTokenizerBase, messages: Messages) -> list[int]:
    return encode(tokenizer, [render(tokenizer, messages, add_generation_prompt=True)])[0]


def one_at_a_time(model: PreTrainedModel, prompts: list[list[int]], cap: int) -> list[list[int]]:
    """New tokens by `generate()`, an end token included."""
    results = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        settings: Any = {"do_sample": False, "max_new_tokens": cap, "pad_token_id": 0}
        out: Any = model.generate(ids, attention_mask=torch.ones_like(ids), **settings)  # pyright: ignore
        results.append(out[0, len(prompt) :].tolist())
    return results


def ends_at_many_lengths(result: list[list[int]]) -> int:
    """A token at which, as an end token, rows would end at the most different lengths."""
    tokens = {token for ids in result for token in ids}
    return max(sorted(tokens), key=lambda t: len({ids.index(t) for ids in result if t in ids}))


def greedy(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    asked: list[Messages],
    **more: object,
) -> Completions:
    reads: Any = {"max_new_tokens": CAP, "max_length": 2048, "batch_size": 5}
    reads |= {"temperature": 0, "seed": 0, "names": [f"id{i}" for i in range(len(asked))], **more}
    return complete(reader_of(model, tokenizer, reads.pop("max_length")), asked, **reads)


@pytest.mark.parametrize("batch_size", [1, 4, 64])
@pytest.mark.parametrize("kind", KINDS)
def test_every_token_is_that_of_one_prompt_alone(
    tokenizer: PreTrainedTokenizerBase, kind: str, batch_size: int
) -> None:
    model = make_model(kind, len(tokenizer))
    prompts = [ids_of(tokenizer, asked) for asked in questions()]
    assert max(map(len, prompts)) > 5 * min(map(len, prompts))
    config: Any = model.generation_config
    config.eos_token_id = [1, ends_at_many_lengths(one_at_a_time(model, prompts, CAP))]
    expected = one_at_a_time(model, prompts, CAP)
    ended = [ids[-1] in config.eos_token_id for ids in expected]
    lengths = {len(ids) for ids in expected}
    assert len(lengths) > 2, "rows are to end at different times"
    result = greedy(model, tokenizer, questions(), batch_size=batch_size)
    answers = [ids[:-1] if end else ids for ids, end in zip(expected, ended, strict=True)]
    assert result.texts == [tokenizer.decode(ids, skip_special_tokens=True) for ids in answers]
    assert result.tokens.tolist() == [len(ids) for ids in answers]
    assert result.tokens.dtype == np.int64
    assert result.capped.tolist() == [not end for end in ended]
    assert not result.cut.any()


def test_rows_that_have_ended_leave_the_batch(tokenizer: PreTrainedTokenizerBase) -> None:
    model = make_model("llama", len(tokenizer))
    prompts = [ids_of(tokenizer, asked) for asked in questions()]
    config: Any = model.generation_config
    config.eos_token_id = ends_at_many_lengths(one_at_a_time(model, prompts, CAP))
    rows: list[int] = []
    model.register_forward_pre_hook(
        lambda _, args, given: rows.append(len(given["input_ids"])), with_kwargs=True
    )
    done: list[int] = []
    result = greedy(model, tokenizer, questions(), batch_size=64, step=done.append)
    assert rows[0] == len(prompts) == sum(done)
    assert rows == sorted(rows, reverse=True)
    going = [int((result.tokens + ~result.capped > t).sum()) for t in range(len(rows))]
    assert going[-1] < going[0] / 2
    # At most an eighth of a batch are rows that have ended.
    assert all(n <= g / 0.875 for n, g in zip(rows, going, strict=True))


def test_a_prompt_too_long_loses_its_beginning(
    llama: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    long = [{"role": "user", "content": "start " + "five " * 200 + "end"}]
    asked = [questions()[0], long, questions()[1]]
    prompts = [ids_of(tokenizer, messages) for messages in asked]
    assert len(prompts[1]) > CONTEXT - CAP
    prompts[1] = prompts[1][-(CONTEXT - CAP) :]
    expected = one_at_a_time(llama, prompts, CAP)
    result = greedy(llama, tokenizer, asked)
    assert result.cut.tolist() == [False, True, False]
    assert result.texts == [tokenizer.decode(ids, skip_special_tokens=True) for ids in expected]
    # All that fits exactly is not cut.
    room = CONTEXT - len(ids_of(tokenizer, asked[0]))
    assert not greedy(llama, tokenizer, asked[:1], max_new_tokens=room).cut.any()
    assert greedy(llama, tokenizer, asked[:1], max_new_tokens=room + 1).cut.all()


def naive_sample(
    model: PreTrainedModel, prompt: list[int], temperature: float, uniform: np.ndarray
) -> list[int]:
    """Each token where the summed probabilities pass the next number, without a cache."""
    ids = list(prompt)
    for u in uniform:
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0, -1].double().numpy()
        p = np.exp((logits - logits.max()) / temperature)
        ids.append(int(np.argmax(np.cumsum(p / p.sum()) > u)))
        if ids[-1] == 1:
            break
    return ids[len(prompt) :]


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_samples_are_those_of_a_plain_loop_in_any_batch(
    llama: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, temperature: float
) -> None:
    asked = questions()[:6]
    expected = []
    for i, messages in enumerate(asked):
        uniform = np.random.default_rng([7, i]).random(CAP)
        ids = naive_sample(llama, ids_of(tokenizer, messages), temperature, uniform)
        expected.append(tokenizer.decode(ids, skip_special_tokens=True))
    for batch_size in (1, 3, 64):
        settings = {"temperature": temperature, "seed": 7, "batch_size": batch_size}
        assert greedy(llama, tokenizer, asked, **settings).texts == expected
    assert greedy(llama, tokenizer, asked, temperature=temperature, seed=8).texts != expected
    cold = greedy(llama, tokenizer, asked, temperature=1e-300)
    assert cold.texts == greedy(llama, tokenizer, asked).texts


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    logits = torch.tensor([0.0, 2.0, -1.0, -torch.inf, 1.0])
    n = 10_000
    drawn = draw(logits.expand(n, 5), (torch.arange(n, dtype=torch.float64) + 0.5) / n)
    counts = torch.bincount(drawn, minlength=5).double()
    torch.testing.assert_close(counts / n, torch.softmax(logits.double(), 0), atol=1.1 / n, rtol=0)
    edge = draw(torch.tensor([[-torch.inf, 0.0, 0.0]]), torch.zeros(1, dtype=torch.float64))
    assert edge.tolist() == [1]


def test_a_model_that_ends_at_once_says_nothing(tokenizer: PreTrainedTokenizerBase) -> None:
    model = make_model("llama", len(tokenizer))
    config: Any = model.generation_config
    config.eos_token_id = list(range(len(tokenizer)))
    result = greedy(model, tokenizer, questions())
    assert result.texts == [""] * len(questions())
    assert not result.tokens.any()
    assert not result.capped.any()


def test_special_tokens_are_counted_but_not_decoded(tokenizer: PreTrainedTokenizerBase) -> None:
    model: Any = make_model("llama", len(tokenizer))
    model.lm_head = torch.nn.Linear(32, len(tokenizer))
    torch.nn.init.zeros_(model.lm_head.weight)
    torch.nn.init.zeros_(model.lm_head.bias)
    pad: Any = tokenizer.pad_token_id
    model.lm_head.bias.data[pad] = 1
    result = greedy(model, tokenizer, questions())
    assert set(result.texts) == {""}
    assert set(result.tokens.tolist()) == {CAP}
    assert result.capped.all()


def test_a_model_in_training_answers_without_dropout(tokenizer: PreTrainedTokenizerBase) -> None:
    model = make_model("gpt2", len(tokenizer))
    expected = greedy(model, tokenizer, questions()).texts
    model.train()
    assert greedy(model, tokenizer, questions()).texts == expected
    assert model.training


@pytest.mark.parametrize("batch_size", [1, 64])
def test_logits_that_are_nan_are_reported_with_the_instance(
    tokenizer: PreTrainedTokenizerBase, batch_size: int
) -> None:
    model: Any = make_model("llama", len(tokenizer))
    asked = [*questions(), [{"role": "user", "content": "🙂"}]]
    only = set(ids_of(tokenizer, asked[-1])).difference(*(ids_of(tokenizer, m) for m in asked[:-1]))
    model.model.embed_tokens.weight.data[min(only)] = torch.nan
    # One token each: a model that writes the broken one itself would fail later.
    settings = {"batch_size": batch_size, "max_new_tokens": 1}
    with pytest.raises(InputError, match=f"^id{len(asked) - 1}: .* NaN") as error:
        greedy(model, tokenizer, asked, **settings)
    assert "\n" not in str(error.value)


def test_no_prompts_give_nothing(
    llama: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    result = greedy(llama, tokenizer, [])
    assert result.texts == []
    assert result.tokens.shape == result.cut.shape == result.capped.shape == (0,)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_new_tokens": CONTEXT}, f"max_new_tokens: {CONTEXT} .* the {CONTEXT} tokens"),
        ({"max_length": CAP}, f"max_new_tokens: {CAP} .* the {CAP} tokens that the model reads"),
    ],
)
def test_answers_that_leave_a_prompt_no_room_are_reported(
    llama: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        greedy(llama, tokenizer, questions(), **given)


def test_a_conversation_that_is_already_answered_is_reported(
    llama: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    gold = [*questions()[0], {"role": "assistant", "content": "Lubi."}]
    with pytest.raises(InputError, match=r"^id1: its conversation ends with an assistant"):
        greedy(llama, tokenizer, [questions()[0], gold])
    with pytest.raises(InputError, match=r"^id1: its conversation holds no message"):
        greedy(llama, tokenizer, [questions()[0], []])
