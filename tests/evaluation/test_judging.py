"""Answers of a real model, judged over HTTP: scores, what is counted, and a judge that fails."""

import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import read_json
from harness.common.schemas import HELDOUT, frame_of, write_frame
from harness.evaluation.cell import evaluate_cell
from harness.evaluation.evaluate import Evaluation, evaluate
from harness.evaluation.judging import Judge, item_scores
from harness.params.judge import JudgeParams
from harness.params.params import load_params
from harness.statistics.items import Grouping
from harness.statistics.ratios import ratio_of_sums
from harness.suites import SUITES, Suite, read_suite
from harness.suites.metrics import NotRun
from harness.training.cell import train_cell
from tests.helpers.judge_server import (
    FAST,
    KEY,
    JudgeServer,
    Reply,
    Seen,
    comparing,
    failed,
    parts_of,
    rated,
    serving,
)
from tests.helpers.judged_suite import HOW, SUITE, WHY, write_judged
from tests.helpers.presets import preset_file
from tests.helpers.small_repo import SMALL, edit_params
from tests.helpers.small_suite import PARAMS

pytestmark = pytest.mark.usefixtures("key_stays_out")

REFERENCES = {str(row["answer"]) for row in [*WHY, *HOW]}
Judging = Callable[..., Evaluation]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judged")
    write_judged(folder)
    return folder


@pytest.fixture
def judging(tiny_model: Path, files: Path, tmp_path: Path) -> Judging:
    """The tiny model on the suite, its answers judged at a server."""

    def run(
        server: JudgeServer | None,
        suite: Suite | None = None,
        processes: int = 1,
        **knobs: Any,  # noqa: ANN401
    ) -> Evaluation:
        url = server.url if server else "http://127.0.0.1:9/v1"  # where nothing listens
        params = JudgeParams(base_url=url, **{**FAST, **knobs})
        judge = Judge(params, tmp_path / ".store/judge.jsonl")
        used, heldout = suite or read_suite(files / "suite"), frame_of(HELDOUT, [])
        how = PARAMS.model_copy(update={"processes": processes})
        return evaluate(tiny_model, used, files / "benchmarks", heldout, how, 0, judge)

    return run


def rate(text: str) -> float:
    """A rating that differs from text to text: 8 to 10 for a reference, up to 6 for others."""
    return 8 + len(text) % 3 if text in REFERENCES else 1 + sum(text.encode()) % 6


def items(result: Evaluation, name: str) -> dict[str, dict[str, Any]]:
    """The samples of a column, by item."""
    own: Any = result.samples[result.samples["task"] == name]
    return {line["item"]: line for line in own.to_dict("records")}


def mean_score(samples: dict[str, dict[str, Any]]) -> float:
    return fmean(line["score"] for line in samples.values())


def test_answers_are_judged_against_the_references(judging: Judging) -> None:
    with serving(comparing(rate)) as server:
        result = judging(server)
    for name, rows in (("why", WHY), ("how", HOW[:2])):
        samples = items(result, name)
        assert list(samples) == [str(row.get("id", place)) for place, row in enumerate(rows)]
        answers = [line["prediction"] for line in samples.values()]
        asked = {parts_of(seen.prompt) for seen in server.seen}
        for row, answer in zip(rows, answers, strict=True):
            assert (row["question"], answer, row["answer"]) in asked
            assert (row["question"], row["answer"], answer) in asked
        model, reference = sum(map(rate, answers)), sum(rate(str(row["answer"])) for row in rows)
        assert result.scores[name] == pytest.approx(100 * model / reference)
        assert mean_score(samples) == pytest.approx(result.scores[name])
        assert {line["weight"] for line in samples.values()} == {1.0}
        assert {len(line["prompt_hash"]) for line in samples.values()} == {64}
        judged = result.judged[name]
        calls = 2 * len(rows)
        assert (judged.asked, judged.answers, judged.unparsed) == (calls, calls, [0, 0])
        assert (judged.tokens_in, judged.tokens_out) == (100 * calls, 10 * calls)
        assert (judged.model, judged.usd, judged.refused) == ("m", None, 0)
    assert len(server.seen) == 2 * (len(WHY) + 2)
    assert result.n == {"choice": 9, "why": 5, "how": 2, "avg": 16}
    scores: dict[str, Any] = result.scores
    assert scores["avg"] == fmean(scores[name] for name in ("choice", "why", "how"))
    assert set(result.seconds) == {"load", "tasks", "benchmarks", "judge"}


@pytest.mark.slow
def test_the_first_of_two_processes_asks_the_judge_about_the_answers_of_both(
    judging: Judging,
) -> None:
    with serving(comparing(rate)) as server:
        result = judging(server, processes=2)
    for name, rows in (("why", WHY), ("how", HOW[:2])):
        samples = items(result, name)
        assert list(samples) == [str(row.get("id", place)) for place, row in enumerate(rows)]
        assert mean_score(samples) == pytest.approx(result.scores[name])
        asked = {parts_of(seen.prompt) for seen in server.seen}
        for row, line in zip(rows, samples.values(), strict=True):
            assert (row["question"], line["prediction"], row["answer"]) in asked
    assert len(server.seen) == 2 * (len(WHY) + 2)  # no question is asked twice


def test_a_second_run_asks_nothing_and_says_the_same(judging: Judging) -> None:
    with serving(comparing(rate)) as server:
        first = judging(server, price_in=10, price_out=30)
        count = len(server.seen)
        again = judging(server, price_in=10, price_out=30)
        assert len(server.seen) == count
    assert again.scores == first.scores
    assert again.judged == first.judged
    assert first.judged["why"].usd == pytest.approx(10 * (100 * 10 + 10 * 30) / 1e6)
    assert again.samples.equals(first.samples)


def test_judgments_that_do_not_parse_are_counted_by_order_and_left_out(judging: Judging) -> None:
    def answering(place: int, seen: Seen) -> Reply:
        question, first, _ = parts_of(seen.prompt)
        if question == "Why 1?" or (question == "Why 2?" and first in REFERENCES):
            return rated("I would rather not say.")
        return comparing(rate)(place, seen)

    with serving(answering) as server:
        result = judging(server)
    judged = result.judged["why"]
    assert judged.unparsed == [1, 2]
    assert (judged.asked, judged.answers) == (10, 10 + 3)  # each of them is asked once more
    samples = items(result, "why")
    times = {"w0": 2, "w2": 1, "w3": 2, "w4": 2}
    model = sum(count * rate(samples[name]["prediction"]) for name, count in times.items())
    reference = sum(times.get(str(row["id"]), 0) * rate(str(row["answer"])) for row in WHY)
    assert result.scores["why"] == pytest.approx(100 * model / reference)
    assert samples["w1"]["score"] == pytest.approx(result.scores["why"]), "it says nothing"
    assert mean_score(samples) == pytest.approx(result.scores["why"])


def test_without_a_key_nothing_is_generated_or_asked(
    judging: Judging, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setattr("harness.common.progress.PLAIN_EVERY_S", 0.0)
    with serving(comparing(rate)) as server:
        result = judging(server)
        assert not server.seen
    why = result.scores["why"]
    assert isinstance(why, NotRun)
    assert why.not_run.startswith("judge: the environment variable OPENAI_API_KEY is not set; exp")
    assert result.scores["how"] == result.scores["avg"] == why
    assert isinstance(result.scores["choice"], float)
    assert set(result.samples["task"]) == {"choice"}
    assert result.judged == {}
    lines = [line for line in caplog.messages if line.startswith("evaluate: ")]
    assert lines[-1].startswith("evaluate: 36 of 36, "), "the choices alone"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (
            failed(503, "overloaded"),
            "does not answer: HTTP 503: overloaded; tried 3 times; 0 answe",
        ),
        (failed(401), "the key in OPENAI_API_KEY is not accepted, export another"),
        (rated("Both are fine."), "gave no rating to any of 10 (the last: answer: 'Both are fine."),
        (failed(400, "too long"), "refuses all 10 prompts (HTTP 400: too long)"),
    ],
)
def test_a_judge_that_fails_leaves_the_other_columns(
    judging: Judging, tmp_path: Path, reply: Reply, reason: str
) -> None:
    with serving(lambda place, seen: reply) as server:
        result = judging(server, concurrency=1)
        questions = {parts_of(seen.prompt)[0] for seen in server.seen}
        assert all(text.startswith("Why") for text in questions), "the second column is not asked"
    why = result.scores["why"]
    assert isinstance(why, NotRun)
    assert reason in why.not_run
    assert str(tmp_path) not in why.not_run
    assert result.scores["how"] == result.scores["avg"] == why
    assert isinstance(result.scores["choice"], float)
    assert set(result.samples["task"]) == {"choice"}


def test_a_cap_that_is_reached_is_the_reason(judging: Judging) -> None:
    knobs = {"price_in": 1e4, "price_out": 1e4, "max_tokens": 10, "concurrency": 1}
    with serving(comparing(rate)) as server:
        first = judging(server, spend_cap=15, **knobs)
        why = first.scores["why"]
        assert isinstance(why, NotRun)
        assert "of spend_cap 15 USD" in why.not_run
        assert "answers are kept in .store/judge.jsonl; raise spend_cap and run" in why.not_run
        paid = len(server.seen)
        assert 0 < paid < 10
        whole = judging(server, spend_cap=300, **knobs)
        assert isinstance(whole.scores["avg"], float)
        assert len(server.seen) == 14, "what was paid for is not asked again"


def test_the_answers_must_leave_room_for_a_question(judging: Judging, files: Path) -> None:
    suite = read_suite(files / "suite")
    folder = shutil.copytree(suite.folder, files / "long", dirs_exist_ok=True)
    text = (folder / "why.yaml").read_text()
    (folder / "why.yaml").write_text(text.replace("max_gen_toks: 6", "max_gen_toks: 128"))
    with serving(comparing(rate)) as server:
        with pytest.raises(InputError) as caught:
            judging(server, read_suite(folder))
        assert not server.seen
    assert str(caught.value) == (
        f"{folder}/why.yaml: max_gen_toks is 128, the model's context 128 tokens; lower "
        "max_gen_toks in its generation_kwargs"
    )


def test_the_spread_of_item_scores_is_that_of_the_ratio() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(1, 11, (50, 2, 2)).astype(np.float64)
    scores[3, 1] = np.nan
    items = item_scores(scores)
    model, reference = np.nansum(scores, axis=1).T
    want = ratio_of_sums(100 * model, reference)
    assert items.mean() == pytest.approx(want.value)
    one = np.zeros(50, dtype=np.int64)
    variance, _ = Grouping(one, one).variance_within((items - items.mean()) / 50)
    assert (want.high - want.low) / 2 == pytest.approx(2.009575 * variance**0.5, rel=1e-6)


def test_a_hand_worked_item() -> None:
    scores = np.array([[[4.0, 8.0], [5.0, 7.0]], [[9.0, 10.0], [8.0, 9.0]]])
    # The sums are 9 of 15 and 17 of 19, the ratio 26 / 34; the reference's mean is 17.
    ratio = 2600 / 34
    want = [ratio + (900 - ratio * 15) / 17, ratio + (1700 - ratio * 19) / 17]
    np.testing.assert_allclose(item_scores(scores), want)


def cell_in(folder: Path, files: Path, tiny_model: Path, url: str) -> None:
    """A working folder in which `none` can be evaluated on the judged suite."""
    (folder / "dvc.yaml").touch()
    shutil.copy(preset_file("lab"), folder / "params.yaml")
    judge = {"base_url": url, **FAST}
    edit_params(folder, **{**SMALL, "evaluate": {"suite": "judged", "limit": None}, "judge": judge})
    (folder / layout.BASE_MODEL).parent.mkdir(parents=True)
    (folder / layout.BASE_MODEL).symlink_to(tiny_model)
    (folder / layout.BENCHMARKS).symlink_to(files / "benchmarks")
    write_frame(folder / layout.HELDOUT_FILE, frame_of(HELDOUT, []), HELDOUT)


def test_a_cell_is_judged_once_the_judge_answers(
    tmp_path: Path,
    files: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SUITES, "judged", files / "suite")
    down = True

    def answering(place: int, seen: Seen) -> Reply:
        return failed(503) if down else comparing(rate)(place, seen)

    def scores() -> dict[str, Any]:
        evaluate_cell(params, params.main_cell("none", "s0"), "code")
        metrics = read_json(layout.RUNS / "main/none/s0/metrics.json")
        return metrics["seeds"]["0"]["scores"]

    with serving(answering) as server:
        cell_in(tmp_path, files, tiny_model, server.url)
        params = load_params()
        train_cell(params, params.main_cell("none", "s0"), "code")
        first = scores()
        assert "does not answer: HTTP 503" in first["why"]["not_run"]
        assert "warning: evaluate: not run: why, how, avg: judge: " in caplog.text
        with monkeypatch.context() as patch:
            patch.delenv("OPENAI_API_KEY")
            count = len(server.seen)
            assert scores() == first, "what is kept, as the judge cannot be asked"
            assert len(server.seen) == count
        down = False
        second = scores()
        assert isinstance(second["avg"], float)
        assert second["choice"] == first["choice"]
        count = len(server.seen)
        assert scores() == second, "kept"
        assert len(server.seen) == count
        metrics = read_json(layout.RUNS / "main/none/s0/metrics.json")["seeds"]["0"]
        assert metrics["judged"]["why"]["answers"] == 10
        params = params.model_copy(
            update={"judge": params.judge.model_copy(update={"model": "another"})}
        )
        assert scores() == second, "another judge rates alike, but is asked"
        assert len(server.seen) == 2 * 14 + count - 14
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("metric: 'acc,none'", "column why: kind judge has no use for `metric`"),
        ("shots: 2", "column why: kind judge has no use for `shots`"),
        ("sources: []", "column why: kind judge has no use for `sources`"),
        ("mirrors: a", "column why: kind judge has no use for `mirrors`"),
        ("builtin: gsm8k, splits: {test: a}", "column why: has `task` and `builtin`; remove one"),
    ],
)
def test_columns_that_make_no_sense(tmp_path: Path, change: str, message: str) -> None:
    folder = write_judged(tmp_path).folder
    text = SUITE.replace("task: why.yaml", f"task: why.yaml, {change}")
    (folder / "suite.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        read_suite(folder)
    assert message in str(caught.value)
    (folder / "suite.yaml").write_text(SUITE.replace("task: why.yaml, ", ""))
    with pytest.raises(InputError, match="column why: kind judge needs `task`"):
        read_suite(folder)
