"""Without the sandbox, code columns are not run, and everything else is."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import read_json
from harness.common.schemas import HELDOUT, SAMPLES, read_frame, write_frame
from harness.common.timings import write_timed
from harness.evaluation import sandbox
from harness.evaluation.benchmarks import runs_programs
from harness.evaluation.cell import evaluate_cell
from harness.evaluation.evaluate import evaluate
from harness.params.params import Params, load_params
from harness.suites import SUITES, Suite, read_suite
from harness.suites.metrics import NotRun, read_metrics
from harness.training.cell import train_cell
from tests.helpers.build_runs import WHY
from tests.helpers.presets import preset_file
from tests.helpers.small_repo import ROOT, SMALL, edit_params
from tests.helpers.small_suite import CODE, PARAMS, SUITE, heldout, write_benchmarks, write_suite

WITH_CODE = SUITE.replace("of: [choice, text]", "of: [choice, text, code]")
CODE_COLUMN = SUITE[SUITE.index("  - {name: code") : SUITE.index("  - {name: bpb_a")]


@pytest.fixture
def no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.evaluation.sandbox.missing_walls", lambda: WHY)


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    folder = tmp_path_factory.mktemp("suite")
    write_suite(folder)
    (folder / "suite.yaml").write_text(WITH_CODE)
    return read_suite(folder)


@pytest.fixture(scope="module")
def benchmarks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_benchmarks(tmp_path_factory.mktemp("benchmarks"))


@pytest.fixture
def repo(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tiny_model: Path,
    suite: Suite,
    benchmarks: Path,
) -> Params:
    """A working folder in which `none` can be evaluated on the small suite."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SUITES, "small", suite.folder)
    (tmp_path / "dvc.yaml").touch()
    # The sandbox's Python takes a while to make: that of this repository serves.
    guests = ROOT / ".store/scratch/sandbox"
    guests.mkdir(parents=True, exist_ok=True)
    (tmp_path / ".store/scratch").mkdir(parents=True)
    (tmp_path / ".store/scratch/sandbox").symlink_to(guests)
    shutil.copy(preset_file("lab"), "params.yaml")
    evaluated = {"suite": "small", "batch_size": 4, "limit": None}
    edit_params(tmp_path, **{**SMALL, "evaluate": evaluated})
    layout.BASE_MODEL.parent.mkdir(parents=True)
    layout.BASE_MODEL.symlink_to(tiny_model)
    layout.BENCHMARKS.symlink_to(benchmarks)
    columns = [name for name, _ in HELDOUT.columns]
    write_frame(layout.HELDOUT_FILE, heldout().reindex(columns=columns), HELDOUT)
    params = load_params()
    train_cell(params, params.main_cell("none", "s0"), "code")
    return params


def cell_metrics(params: Params) -> dict[str, Any]:
    """Evaluate the cell; what its file holds of seed 0."""
    evaluate_cell(params, params.main_cell("none", "s0"), "code")
    metrics = read_json(layout.RUNS / "main/none/s0" / "metrics.json")
    return metrics["seeds"]["0"]


@pytest.mark.usefixtures("no_sandbox")
def test_programs_are_neither_generated_nor_run_and_the_rest_is(
    tiny_model: Path,
    suite: Suite,
    benchmarks: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("harness.common.progress.PLAIN_EVERY_S", 0.0)
    with caplog.at_level("INFO"):
        result = evaluate(tiny_model, suite, benchmarks, heldout(), PARAMS, seed=0)
    assert result.scores["code"] == result.scores["avg"] == NotRun(not_run=WHY)
    lines = [line for line in caplog.messages if line.startswith("evaluate: ")]
    assert lines[-1].startswith("evaluate: 75 of 75, "), "the six programs are not generated"
    assert not [line for line in caplog.messages if line.startswith("sandbox")]
    assert "code" not in {*result.n, *result.shots, *result.truncated, *result.samples["task"]}
    assert "avg" not in result.n
    whole = ["choice", "norm", "text", "bpb_a", "bpb"]
    assert [n for n, score in result.scores.items() if isinstance(score, float)] == whole
    assert list(dict.fromkeys(result.samples["task"])) == whole
    assert result.unisolated is None


@pytest.mark.usefixtures("no_sandbox")
def test_a_suite_of_programs_alone_has_no_samples(
    tiny_model: Path, suite: Suite, benchmarks: Path
) -> None:
    alone = suite.model_copy(update={"columns": [suite.column("code")], "headline": "code"})
    result = evaluate(tiny_model, alone, benchmarks, heldout(), PARAMS, seed=0)
    assert result.scores == {"code": NotRun(not_run=WHY)}
    assert len(result.samples) == 0


def test_the_cell_says_so_until_the_wall_is_there(
    repo: Params, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING, logger="harness"):
        patch.setattr("harness.evaluation.sandbox.missing_walls", lambda: WHY)
        metrics = cell_metrics(repo)
        assert metrics["scores"]["code"] == {"not_run": WHY}
        assert caplog.messages == [f"warning: evaluate: not run: code, avg: {WHY}"]
        cell = layout.RUNS / "main/none/s0"
        read = read_metrics(cell / "metrics.json").seeds["0"]
        assert read.not_run == {"code": WHY, "avg": WHY}
        assert "code" not in set(read_frame(cell / "samples.parquet", SAMPLES)["task"])
        assert cell_metrics(repo) == metrics, "kept, and reported again"
        assert len(caplog.messages) == 2
    again = cell_metrics(repo)
    assert again["scores"]["code"] == 50.0
    assert again["scores"]["avg"] == pytest.approx(
        sum(again["scores"][name] for name in ("choice", "text", "code")) / 3
    )
    assert "unisolated" not in again
    assert "code" in set(read_frame(cell / "samples.parquet", SAMPLES)["task"])


def test_weights_are_kept_until_every_column_was_run(
    repo: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[str] = []
    monkeypatch.setattr("harness.evaluation.cell._delete_weights", lambda m: gone.append(m))
    edit_params(Path(), train={"keep_models": "none"})
    with monkeypatch.context() as patch:
        patch.setattr("harness.evaluation.sandbox.missing_walls", lambda: WHY)
        cell_metrics(load_params())
        assert not gone
    cell_metrics(load_params())
    assert len(gone) == 1


def test_only_the_param_allows_unisolated_programs_and_it_is_recorded(
    repo: Params, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with_sandbox = cell_metrics(repo)
    assert repo.evaluate.allow_unisolated is False
    edit_params(Path(), evaluate={"allow_unisolated": True})
    assert cell_metrics(load_params()) == with_sandbox, "nothing is missing: the same kept scores"
    monkeypatch.setattr("harness.evaluation.sandbox.missing_walls", lambda: WHY)
    metrics = cell_metrics(load_params())
    assert metrics["unisolated"] == WHY
    assert metrics["scores"] == with_sandbox["scores"]
    assert caplog.messages[-1] == f"warning: evaluate: programs ran without every wall: {WHY}"


def test_a_wall_that_is_broken_for_real(
    tiny_model: Path, suite: Suite, benchmarks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 3 GB of addresses the worker cannot set up a program's memory."""
    limited = ["sh", "-c", 'ulimit -v 3000000; exec "$@"', "sh", *sandbox._WORKER]
    sandboxed = evaluate(tiny_model, suite, benchmarks, heldout(), PARAMS, seed=0).scores["code"]
    monkeypatch.setattr("harness.evaluation.sandbox._WORKER", limited)
    result = evaluate(tiny_model, suite, benchmarks, heldout(), PARAMS, seed=0)
    code = result.scores["code"]
    assert isinstance(code, NotRun)
    assert code.not_run.startswith("the sandbox does not start: ")
    allowed = PARAMS.model_copy(update={"allow_unisolated": True})
    result = evaluate(tiny_model, suite, benchmarks, heldout(), allowed, seed=0)
    assert result.unisolated == code.not_run
    assert result.scores["code"] == sandboxed, "the same programs, run as the user"


def test_a_suite_without_programs_needs_no_sandbox(
    repo: Params, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(SUITES["small"], tmp_path / "without")
    (tmp_path / "without/suite.yaml").write_text(SUITE.replace(CODE_COLUMN, ""))
    monkeypatch.setitem(SUITES, "small", tmp_path / "without")
    monkeypatch.setattr("harness.evaluation.sandbox.missing_walls", lambda: pytest.fail("asked"))
    assert set(cell_metrics(repo)["scores"]) == {"choice", "norm", "text", "bpb_a", "bpb", "avg"}


@pytest.mark.parametrize(
    ("task", "runs"),
    [
        (CODE, True),
        (CODE.replace("unsafe_code: true\n", ""), True),  # by our own filter
        ("include: other.yaml\ntask: code\n", True),
        ("task: code\noutput_type: generate_until\n", False),
    ],
)
def test_a_task_that_runs_programs_is_known(
    suite: Suite, tmp_path: Path, task: str, runs: bool
) -> None:
    shutil.copytree(suite.folder, tmp_path / "suite")
    (tmp_path / "suite/other.yaml").write_text(CODE)
    (tmp_path / "suite/code.yaml").write_text(task)
    own = read_suite(tmp_path / "suite")
    assert runs_programs(own, own.column("code")) is runs
    assert not runs_programs(own, own.column("text"))


BESIDE = "filter_list:\n  - {name: raw, filter: [{function: take_first}]}"


@pytest.mark.parametrize(
    "task",
    [
        CODE.replace("harness.evaluation.code.run_answers", "builtins.map"),  # as HumanEval's own
        CODE.replace("filter_list:", BESIDE),
        "task: code\nunsafe_code: true\n",
    ],
)
def test_programs_that_would_miss_the_sandbox_are_refused(
    tiny_model: Path, suite: Suite, benchmarks: Path, tmp_path: Path, task: str
) -> None:
    shutil.copytree(suite.folder, tmp_path / "suite")
    (tmp_path / "suite/code.yaml").write_text(task)
    own = read_suite(tmp_path / "suite")
    with pytest.raises(InputError) as caught:
        evaluate(tiny_model, own, benchmarks, heldout(), PARAMS, seed=0)
    assert str(caught.value) == (
        f"{own.folder / 'code.yaml'}: unsafe_code is true, but not every filter runs the answers "
        "in the sandbox; give each filter_fn: !function harness.evaluation.code.run_answers"
    )


@pytest.mark.parametrize(
    "score", [{"not_run": ""}, {"not_run": "why", "score": 1.0}, "not run", None, float("nan")]
)
def test_metrics_are_checked_when_read(tmp_path: Path, score: object) -> None:
    path = tmp_path / "metrics.json"
    seed = {"scores": {"code": 1.0}, "n": {"code": 2}}
    write_timed(path, {"suite": "small", "seeds": {"0": seed}})
    assert read_metrics(path).seeds["0"].measured == {"code": 1.0}
    path.write_text(path.read_text().replace("1.0", json.dumps(score)))
    with pytest.raises(InputError, match=r"metrics.json: seeds.0.scores.code.*run its stage again"):
        read_metrics(path)
