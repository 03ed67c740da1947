"""lm-eval on a suite: scores, items, shots, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from harness.evaluation.bits_per_byte import bits_per_byte
from harness.evaluation.evaluate import Evaluation, evaluate
from harness.models.loading import load_model, load_tokenizer
from harness.models.template import ensure_template, render
from harness.suites import Suite
from tests.helpers.small_suite import (
    CHOICES,
    PARAMS,
    heldout,
    write_benchmarks,
    write_lines,
    write_suite,
)


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return write_suite(tmp_path_factory.mktemp("suite"))


@pytest.fixture(scope="module")
def benchmarks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_benchmarks(tmp_path_factory.mktemp("benchmarks"))


@pytest.fixture(scope="module")
def evaluation(tiny_model: Path, suite: Suite, benchmarks: Path) -> Evaluation:
    return evaluate(tiny_model, suite, benchmarks, heldout(), PARAMS, seed=0)


def test_every_column_is_there(evaluation: Evaluation) -> None:
    columns = ["choice", "norm", "text", "code", "bpb_a", "bpb", "avg"]
    assert sorted(evaluation.scores) == sorted(columns)
    assert evaluation.n == {
        "choice": 9,
        "norm": 9,
        "text": 3,
        "code": 2,
        "bpb_a": 2,
        "bpb": 3,
        "avg": 12,
    }
    assert list(dict.fromkeys(evaluation.samples["task"])) == columns[:-1]
    assert set(evaluation.samples["seed"]) == {0}
    assert set(evaluation.seconds) == {"load", "tasks", "benchmarks", "bits_per_byte"}


def test_a_score_is_the_weighted_mean_of_its_items(evaluation: Evaluation) -> None:
    for name, frame in evaluation.samples.groupby("task"):
        mean = (frame["score"] * frame["weight"]).sum() / frame["weight"].sum()
        assert evaluation.scores[str(name)] == pytest.approx(mean)
    numbers = {name: score for name, score in evaluation.scores.items() if isinstance(score, float)}
    assert numbers["avg"] == (numbers["choice"] + numbers["text"]) / 2


def test_the_cluster_of_an_item_is_the_field_that_its_column_names(evaluation: Evaluation) -> None:
    clusters = items(evaluation, "choice")["cluster"]
    assert clusters.tolist() == [f"choice:{'odd' if i % 2 else 'even'}" for i in range(9)]
    others = evaluation.samples.loc[evaluation.samples["task"] != "choice", "cluster"]
    assert others.isna().all()


def items(evaluation: Evaluation, task: str) -> pd.DataFrame:
    return evaluation.samples.loc[evaluation.samples["task"] == task].reset_index(drop=True)


def test_choices_are_scored_after_the_chat_prompt(evaluation: Evaluation, tiny_model: Path) -> None:
    # By hand: log p of each choice after the prompt from which an answer would be generated.
    tokenizer, model = load_tokenizer(tiny_model), load_model(tiny_model)
    ensure_template(tokenizer, "alpaca_short")
    frame = items(evaluation, "choice")
    assert frame["item"].tolist() == [f"q{i}" for i in range(9)]
    for i, item in enumerate(CHOICES):
        question = [{"role": "user", "content": str(item["prompt"])}]
        prompt = render(tokenizer, question, add_generation_prompt=True)
        start = len(tokenizer(prompt).input_ids)
        logs = []
        for choice in item["choices"]:
            ids = torch.tensor(tokenizer(prompt + choice).input_ids)
            with torch.inference_mode():
                table = torch.log_softmax(model(ids[None]).logits[0, :-1], dim=-1)
            logs.append(float(table.gather(1, ids[1:, None])[start - 1 :].sum()))
        best = logs.index(max(logs))
        assert frame["prediction"].tolist()[i] == item["choices"][best]
        assert frame["score"].tolist()[i] == (100.0 if best == item["target"] else 0.0)


def test_as_many_shots_as_fit_are_taken_and_reported(evaluation: Evaluation) -> None:
    # 128 tokens hold a few of these examples, not six.
    assert evaluation.shots["choice"] == 0
    assert 1 <= evaluation.shots["norm"] < 6
    assert evaluation.shots["text"] == 1
    assert evaluation.truncated["norm"] == 0


def test_items_too_long_are_cut_and_counted(
    tiny_model: Path, suite: Suite, tmp_path: Path, benchmarks: Path
) -> None:
    for file in benchmarks.iterdir():
        (tmp_path / file.name).write_text(file.read_text())
    long = [item | {"prompt": "long " * 200} for item in CHOICES[:4]]
    write_lines(tmp_path / "choice.jsonl", long + CHOICES[4:])
    again = evaluate(tiny_model, suite, tmp_path, heldout(), PARAMS, seed=0)
    assert again.truncated["choice"] == 4
    assert again.shots["norm"] >= 1, "no more items are cut with shots than without"
    assert again.truncated["norm"] == 4


def test_code_is_run(evaluation: Evaluation) -> None:
    frame = items(evaluation, "code")
    assert frame["score"].tolist() == [100.0, 0.0]
    verdicts = json.loads(frame["prediction"].tolist()[1])
    assert [one["passes"] for one in verdicts] == [False, False, False]
    assert all(isinstance(one["answer"], str) for one in verdicts)


def test_bits_per_byte_are_those_of_the_function(evaluation: Evaluation, tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model)
    ensure_template(tokenizer, "alpaca_short")
    direct = bits_per_byte(load_model(tiny_model), tokenizer, heldout(), 4)
    total = (direct["score"] * direct["weight"]).sum() / direct["weight"].sum()
    assert evaluation.scores["bpb"] == pytest.approx(total)
    assert items(evaluation, "bpb_a")["item"].tolist() == ["a:1", "a:2"]


def test_again_the_same_and_a_changed_file_is_read_again(
    evaluation: Evaluation, tiny_model: Path, suite: Suite, tmp_path: Path, benchmarks: Path
) -> None:
    for file in benchmarks.iterdir():
        (tmp_path / file.name).write_text(file.read_text())
    again = evaluate(tiny_model, suite, tmp_path, heldout(), PARAMS, seed=0)
    assert again.samples.equals(evaluation.samples)
    # The same path, the same size: what a cache keyed by either would not notice.
    changed = (tmp_path / "code.jsonl").read_text().replace('"expect": "2"', '"expect": "3"')
    (tmp_path / "code.jsonl").write_text(changed)
    assert evaluate(tiny_model, suite, tmp_path, heldout(), PARAMS, seed=0).scores["code"] == 0


def test_progress_is_logged_off_a_terminal(
    tiny_model: Path,
    suite: Suite,
    benchmarks: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("harness.common.progress.PLAIN_EVERY_S", 0.0)
    with caplog.at_level("INFO", logger="harness.common.progress"):
        evaluate(tiny_model, suite, benchmarks, heldout(), PARAMS, seed=0)
    # Nine questions of four choices twice, three texts, two programs three times.
    lines = [line for line in caplog.messages if line.startswith("evaluate: ")]
    assert len(lines) == 2 * 36 + 3 + 6
    assert lines[-1].startswith("evaluate: 81 of 81, ")


def test_the_limit(tiny_model: Path, suite: Suite, benchmarks: Path) -> None:
    params = PARAMS.model_copy(update={"limit": 1})
    few = evaluate(tiny_model, suite, benchmarks, heldout(), params, seed=0)
    assert few.n == {"choice": 1, "norm": 1, "text": 1, "code": 1, "bpb_a": 1, "bpb": 2, "avg": 2}


def test_a_home_without_anything_stays_so(
    tiny_model: Path, suite: Suite, benchmarks: Path, tmp_path: Path
) -> None:
    script = (
        "import sys, pandas as pd\nfrom pathlib import Path\n"
        "from harness.evaluation.evaluate import evaluate\nfrom harness.suites import read_suite\n"
        "from harness.params.evaluation import EvaluateParams\n"
        "model, suite, benchmarks = map(Path, sys.argv[1:4])\n"
        "rows = pd.read_json(sys.argv[4], dtype={'id': str})\n"
        "evaluate(model, read_suite(suite), benchmarks, rows, EvaluateParams(suite='small'), 0)\n"
    )
    (tmp_path / "home").mkdir()
    rows = tmp_path / "heldout.json"
    rows.write_text(str(heldout().to_json(orient="records")))
    home = {"HOME": str(tmp_path / "home"), "PYTHONPATH": ".", "PATH": "/usr/bin:/bin"}
    arguments = [str(tiny_model), str(suite.folder), str(benchmarks), str(rows)]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], env=home, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "it/s" not in done.stderr, "no bars off a terminal"
    left = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert left == []
