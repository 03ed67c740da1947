"""pass@k of a code benchmark's answers."""

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from harness.evaluation.code import pass_at_k
from harness.evaluation.language_model import language_model
from tests.helpers.chat_models import sentencepiece, write_model


@pytest.mark.parametrize("passed", [0, 1, 3, 11, 20])
def test_pass_at_10_is_the_share_of_draws_with_one_that_passes(passed: int) -> None:
    answers = [True] * passed + [False] * (20 - passed)
    draws = list(combinations(answers, 10))
    expected = {"pass@1": passed / 20, "pass@10": sum(map(any, draws)) / len(draws)}
    assert pass_at_k({}, [answers]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("chat_template", [False, True])
def test_a_program_keeps_the_indent_that_decoders_take_away(
    tmp_path: Path, chat_template: bool
) -> None:
    tokenizer = sentencepiece()
    lm: Any = language_model(write_model(tokenizer, tmp_path), "cpu", 1, chat_template)
    prompt, body = "def f(x):\n", "    x + 1\n    x"
    ids = tokenizer.encode(prompt + body, add_special_tokens=False)
    tail = ids[len(tokenizer.encode(prompt, add_special_tokens=False)) :]
    assert tokenizer.decode(tail) == body[1:]
    assert lm.tok_decode(tail) == body
    assert lm.tok_decode([]) == ""


def test_fewer_answers_than_k_give_none() -> None:
    assert pass_at_k({}, [[True] * 9]) == {"pass@1": 1.0}
