"""The judge and a real model behind a real server: `transformers serve` of one taught to judge."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.common.errors import InputError
from harness.feedback.judge.judge import judge
from harness.feedback.judge.questions import judge_prompt
from harness.params.judge import JudgeParams
from tests.helpers.judge_model import THINGS, VERDICTS, exchange, teach, transformers_serve
from tests.helpers.judge_server import KEY


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The folder of a model that has learnt to judge, and the URL it is served at."""
    folder = tmp_path_factory.mktemp("judge_model")
    teach(folder)
    with transformers_serve(folder, folder.with_suffix(".log")) as url:
        yield folder, url


def test_a_taught_model_behind_transformers_serve(taught: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = taught
    pairs = [(exchange(thing, word), VERDICTS[word]) for thing in THINGS[:4] for word in VERDICTS]
    params = JudgeParams(
        model=str(folder), base_url=url, max_tokens=24, concurrency=3, price_in=10, price_out=30
    )
    done: list[int] = []
    judged = judge([pair for pair, _ in pairs], params, tmp_path / "answers.jsonl", done.append)
    np.testing.assert_array_equal(judged.scores, [float(rating) for _, rating in pairs])
    assert judged.scores.dtype == np.float64
    assert (judged.asked, judged.cached, judged.unparsable) == (12, 0, 0)
    assert sum(done) == 12

    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    asked = [[{"role": "user", "content": judge_prompt(*pair, 10)}] for pair, _ in pairs]
    read = [
        len(tokenizer.apply_chat_template(one, add_generation_prompt=True)["input_ids"])
        for one in asked
    ]
    assert judged.tokens_in == sum(read)
    assert 0 < judged.tokens_out <= 12 * 24
    assert judged.spend == pytest.approx((judged.tokens_in * 10 + judged.tokens_out * 30) / 1e6)

    again = judge([pair for pair, _ in pairs], params, tmp_path / "answers.jsonl")
    np.testing.assert_array_equal(again.scores, judged.scores)
    assert (again.asked, again.cached) == (0, 12)
    assert (again.tokens_in, again.spend) == (judged.tokens_in, judged.spend)


def test_a_round_scores_by_the_judge(taught: tuple[Path, str], tmp_path: Path) -> None:
    from harness.feedback.scoring import FEEDBACK_SCORERS

    folder, url = taught
    params = JudgeParams(model=str(folder), base_url=url, max_tokens=24, price_in=10, price_out=30)
    pairs = [(exchange(thing, word), VERDICTS[word]) for thing in THINGS[:2] for word in VERDICTS]
    asked = [
        (str(i), [{"role": "user", "content": a}, {"role": "assistant", "content": b}])
        for i, ((a, b), _) in enumerate(pairs)
    ]
    task = {"judge": params.model_dump(), "judge_cache": str(tmp_path / "answers.jsonl")}
    task["judged_before"] = []
    scores, cost = FEEDBACK_SCORERS["judge"](task, asked)
    np.testing.assert_array_equal(scores, [float(rating) for _, rating in pairs])
    # A resumed run finds the answers and reports the same cost.
    again, same = FEEDBACK_SCORERS["judge"](task, asked)
    np.testing.assert_array_equal(again, scores)
    assert same == cost
    assert cost["judge_answers"] == 6
    assert cost["usd"] > 0


def test_an_answer_cut_short_has_no_rating(taught: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = taught
    params = JudgeParams(model=str(folder), base_url=url, max_tokens=3)
    lack = r"gave no rating to any of 1 \(the last: cut off at max_tokens 3\)"
    with pytest.raises(InputError, match=lack):
        judge([exchange("tea", "superb")], params, tmp_path / "answers.jsonl")


def test_a_model_that_is_not_served_is_reported(taught: tuple[Path, str], tmp_path: Path) -> None:
    params = JudgeParams(model="other", base_url=taught[1])
    with pytest.raises(InputError, match=r"other at http://127.* refuses all 2 prompts \(HTTP 400"):
        judge([("a", "b"), ("c", "d")], params, tmp_path / "answers.jsonl")
