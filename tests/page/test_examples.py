"""Which rows the page's examples are of, where runs or benchmarks are missing."""

from pathlib import Path
from typing import Any

import pytest

from harness.common import layout
from harness.common.files import read_json, write_json
from harness.page.examples import examples, shown_rows
from harness.params.params import Params
from harness.suites import SUITES, load_suite
from tests.helpers.build_runs import QUALITY, WHY, build_runs
from tests.helpers.toy_suite import write_toy_suite

ROWS = ["none", "random", "k_center", "full"]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SUITES, "toy", write_toy_suite(tmp_path / "suite"))
    monkeypatch.setitem(QUALITY, "k_center", 30.0)
    changes: dict[str, Any] = {"seed_groups": ["s0_1"], "further": {}, "studies": {}}
    return build_runs(tmp_path, **changes, table=ROWS, evaluate={"suite": "toy"})


def metrics_file(name: str) -> Path:
    return layout.RUNS / "main" / name / "s0_1" / "metrics.json"


def test_a_row_that_was_not_evaluated_is_left_out(tree: Params) -> None:
    assert shown_rows(tree) == ROWS
    metrics_file("full").unlink()
    assert shown_rows(tree) == ROWS[:3]
    other = read_json(metrics_file("none")) | {"suite": "lab"}
    write_json(metrics_file("none"), other)
    assert shown_rows(tree) == ["random", "k_center"]
    metrics_file("k_center").unlink()
    assert shown_rows(tree) == ["random"]
    metrics_file("random").unlink()
    assert shown_rows(tree) == []
    assert examples(tree) is None


def test_the_best_row_is_shown_where_a_benchmark_was_not_run(tree: Params) -> None:
    for name in ROWS:
        metrics = read_json(metrics_file(name))
        for seed in metrics["seeds"].values():
            seed["scores"] |= {key: {"not_run": WHY} for key in ("two", "avg")}
        write_json(metrics_file(name), metrics)
    suite = load_suite("toy")
    assert suite.headline == "avg"
    assert "two" in (suite.column("avg").of or [])
    assert shown_rows(tree) == ROWS
