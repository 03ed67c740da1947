"""pass@k of a code benchmark's answers."""

from itertools import combinations

import pytest

from harness.evaluation.code import pass_at_k


@pytest.mark.parametrize("passed", [0, 1, 3, 11, 20])
def test_pass_at_10_is_the_share_of_draws_with_one_that_passes(passed: int) -> None:
    answers = [True] * passed + [False] * (20 - passed)
    draws = list(combinations(answers, 10))
    expected = {"pass@1": passed / 20, "pass@10": sum(map(any, draws)) / len(draws)}
    assert pass_at_k({}, [answers]) == pytest.approx(expected, abs=1e-12)


def test_fewer_answers_than_k_give_none() -> None:
    assert pass_at_k({}, [[True] * 9]) == {"pass@1": 1.0}
