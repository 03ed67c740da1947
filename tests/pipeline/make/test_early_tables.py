"""What `make repro` shows before the last model is trained."""

from pathlib import Path

import numpy as np
import pytest

from harness.common import layout
from harness.params.params import Params
from harness.suites.metrics import read_metrics
from pipeline.make.early_tables import EarlyTables, before
from pipeline.make.repro import urgent
from tests.helpers.build_runs import build_runs

TABLE = ["none", "random", "top_k", "full"]
STAGES = [f"evaluate@{name}-s0_1_2" for name in TABLE]
MORE = {"more": {"study": "main", "of": "random", "group": "s3_4", "base": "main"}}


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Four rows; `random` has five seeds in two cells."""
    monkeypatch.chdir(tmp_path)
    changes = {"table": TABLE, "further": MORE, "studies": {}}
    return build_runs(tmp_path, preset="lab", **changes)


def average(name: str, *groups: str) -> float:
    files = [layout.RUNS / "main" / name / group / "metrics.json" for group in groups]
    seeds = [one for file in files for one in read_metrics(file).seeds.values()]
    return float(np.mean([one.measured["avg"] for one in seeds]))


def test_rows_are_shown_as_they_are_finished_and_marked(params: Params) -> None:
    pending = {*STAGES, "evaluate_further@more", "train@full-s0_1_2", "report"}
    tables = EarlyTables(params, pending, lambda: 100)
    assert tables.ended("train@none-s0_1_2") == []
    assert tables.ended("evaluate@random-s0_1_2") == [], "a cell of the row is not evaluated"
    head, row = tables.ended("evaluate_further@more")
    assert head.startswith("UNFINISHED table, 1 of 4 rows: ")
    more = layout.RUNS / "main" / "more"
    own = [*read_metrics(more / "metrics.json").seeds.values()]
    first = average("random", "s0_1_2")
    mean = (3 * first + sum(one.measured["avg"] for one in own)) / 5
    assert row == f"  random {mean:.2f} (5)"
    head, row = tables.ended("evaluate@none-s0_1_2")
    none = average("none", "s0_1_2")
    assert none < mean
    assert "2 of 4 rows" in head
    assert row == f"  random {mean:.2f} (5), none {none:.2f} (1)"
    assert len(tables.ended("evaluate@top_k-s0_1_2")) == 2
    assert tables.ended("evaluate@full-s0_1_2") == [], "the last row: the table itself follows"


def test_a_trial_is_marked(params: Params) -> None:
    recipe = params.train.model_copy(update={"max_steps": 3})
    trial = params.model_copy(update={"train": recipe})
    head, _ = EarlyTables(trial, {STAGES[0], STAGES[1]}, lambda: 100).ended(STAGES[0])
    assert head.startswith("UNFINISHED table of a TRIAL (train.max_steps), 3 of 4 rows: ")


def test_rows_up_to_date_count_from_the_beginning(params: Params) -> None:
    tables = EarlyTables(params, {STAGES[0], STAGES[1]}, lambda: 30)
    head, *lines = tables.ended(STAGES[0])
    assert "3 of 4 rows" in head
    assert all(len(line) <= 30 for line in lines)
    assert sum(line.count("(") for line in lines) == 3


def test_the_subsets_are_shown_as_wide_as_the_terminal(params: Params) -> None:
    assert EarlyTables(params, set(), lambda: 80).ended("report_subsets") == []
    folder = layout.report_folder("lab", "subsets")
    folder.mkdir(parents=True)
    names = "| selection | seeds | covering radius | near-duplicates |"
    rows = [names, "| --- | ---: | ---: | ---: |", "| random | 3 | 1.191 | 17.4% |"]
    (folder / "table.md").write_text("\n".join(["# Title", "", *rows, ""]))
    for columns, shown in ((80, "near-duplicates"), (40, "covering radius"), (18, "seeds")):
        lines = EarlyTables(params, set(), lambda columns=columns: columns).ended("report_subsets")
        table = lines[1].splitlines()
        assert table[0].endswith(shown)
        assert max(map(len, table)) <= columns
        assert table[2].startswith("random")


def test_before_is_a_stage_and_all_it_waits_for() -> None:
    needs = {"a": set(), "b": {"a"}, "report_subsets": {"b"}, "train": {"a"}}
    assert before("report_subsets", needs) == {"report_subsets", "b", "a"}
    assert before("report_subsets", {"a": set()}) == set()


def test_models_that_are_not_kept_are_evaluated_before_others_are_trained(params: Params) -> None:
    train, evaluate, other = "train@a-s0", "evaluate@a-s0", "train@b-s0"
    needs: dict[str, set[str]] = {train: set(), evaluate: {train}, other: set()}
    needs |= {"report_subsets": {"c"}, "c": set()}
    assert urgent(needs, params) == {"report_subsets", "c"}
    none = params.model_copy(
        update={"train": params.train.model_copy(update={"keep_models": "none"})}
    )
    assert urgent(needs, none) == {"report_subsets", "c", evaluate}
