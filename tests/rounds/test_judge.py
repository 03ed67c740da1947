"""Rounds that an LLM judge scores: what they cost, and what a change of its params leaves valid."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.common.errors import InputError
from harness.feedback.scoring import given_and_generated
from harness.params.judge import JudgeParams
from harness.rounds.journal import ScratchJournal
from tests.helpers.judge_server import KEY, JudgeServer, Reply, rated, serving
from tests.helpers.round_journal import journal
from tests.helpers.scored_rows import POOL

ANSWERS = {"max_new_tokens": 5, "temperature": 0.0, "scorer": "judge"}
PRICES = {"price_in": 1e4, "price_out": 1e4}  # an answer of 110 tokens costs 1.1 USD


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[JudgeServer]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with serving(lambda place, seen: rated(f"[[{1 + place % 10}]]")) as one:
        yield one


def judging(folder: Path, **knobs: object) -> ScratchJournal:
    kept = journal(folder)
    judge = JudgeParams.model_validate({"model": "m", **PRICES, **knobs})
    params = kept.recipe.params.model_copy(update={"judge": judge})
    kept.recipe = replace(kept.recipe, params=params, judge_cache=folder.parent / "judge.jsonl")
    return kept


def run(kept: ScratchJournal, number: int, rows: list[int]) -> dict[str, np.ndarray]:
    asked = kept.ask(number)
    asked.train(np.array(rows), number, False)
    return asked.observe("answer", np.array(rows), **ANSWERS)


def test_a_run_pays_for_each_question_once(base: Path, tmp_path: Path, server: JudgeServer) -> None:
    kept = judging(tmp_path / "one", base_url=server.url)
    run(kept, 1, [0, 1])
    run(kept, 2, [0, 1, 3])
    responses = []
    for folder in sorted(tmp_path.glob("one/*_generate_*")):
        rows = POOL.take([0, 1] if folder.name[0] == "1" else [0, 1, 3])
        responses.append(given_and_generated(rows, folder / "answers.parquet"))
    first, second = ({str(messages) for _, messages in one} for one in responses)
    assert len(second - first) < len(second), "what was given is asked about again"
    asked = [len(first), len(second - first)]
    for number, questions in zip((1, 2), asked, strict=True):
        cost = kept.cost(number)
        assert [cost["scored"], cost["judge_answers"]] == [questions] * 2
        assert cost["tokens_scored"] == 110 * questions
        assert cost["usd"] == pytest.approx(1.1 * questions)
    assert len(server.seen) == sum(asked)


def test_a_run_that_finds_all_answers_reports_the_same_cost(
    base: Path, tmp_path: Path, server: JudgeServer
) -> None:
    costs = []
    for name in ("one", "two"):
        kept = judging(tmp_path / name, base_url=server.url)
        run(kept, 1, [0, 1])
        run(kept, 2, [0, 1, 3])
        costs.append([{**kept.cost(number), "seconds": 0} for number in (1, 2)])
        seen = len(server.seen)
    assert costs[0] == costs[1]
    assert seen == len(server.seen) == sum(cost["judge_answers"] for cost in costs[0])


def test_without_prices_no_spend_is_reported(
    base: Path, tmp_path: Path, server: JudgeServer
) -> None:
    kept = judging(tmp_path / "one", base_url=server.url, price_in=None, price_out=None)
    run(kept, 1, [0, 1])
    assert "usd" not in kept.cost(1)
    assert kept.cost(1)["judge_answers"] == 4


def test_a_fixed_endpoint_leaves_what_an_undisturbed_run_does(
    base: Path, tmp_path: Path, server: JudgeServer
) -> None:
    kept = judging(tmp_path / "one", base_url=server.url)
    server.answering, fixed = lambda place, seen: Reply(200, b"<html>"), server.answering
    with pytest.raises(InputError, match=r"gave no rating to any of 4 .*no completion: '<html>'"):
        run(kept, 1, [0, 1])
    assert not list(tmp_path.glob("one/*_score_*"))
    server.seen.clear()
    server.answering = fixed
    assert np.isfinite(run(kept, 1, [0, 1])["gold"]).all()
    assert kept.cost(1)["judge_left_out"] == 0


@pytest.mark.parametrize(
    ("knobs", "anew"),
    [
        ({"spend_cap": 1000}, False),
        ({"timeout_s": 5, "retries": 1, "concurrency": 2, "backoff_s": 0}, False),
        ({"requests_per_minute": 6000, "price_in": 1, "price_out": 1}, False),
        ({"temperature": 0.5}, True),
        ({"model": "n"}, True),
    ],
)
def test_finished_scores_are_reused_under_another_cap(
    base: Path, tmp_path: Path, server: JudgeServer, knobs: dict[str, object], anew: bool
) -> None:
    before = run(judging(tmp_path / "one", base_url=server.url), 1, [0, 1])
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.glob("one/*/files.json")}
    after = run(judging(tmp_path / "one", base_url=server.url, **knobs), 1, [0, 1])
    now = {path: path.stat().st_mtime_ns for path in tmp_path.glob("one/*/files.json")}
    assert (now != stamps) == anew
    assert len(server.seen) == (8 if anew else 4)
    assert (before["gold"] != after["gold"]).any() == anew


def test_another_server_of_the_environment_is_asked(
    base: Path, tmp_path: Path, server: JudgeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    run(judging(tmp_path / "one"), 1, [0, 1])
    with serving(lambda place, seen: rated("[[5]]")) as other:
        monkeypatch.setenv("OPENAI_BASE_URL", other.url)
        result = run(judging(tmp_path / "one"), 1, [0, 1])
        assert result["gold"].tolist() == [5.0, 5.0]
