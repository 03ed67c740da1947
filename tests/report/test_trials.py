"""A trial (`train.max_steps`) is no result: title, rows and notes say so, and no verdict is given.

How models were trained stands below every table.
"""

import csv
from pathlib import Path
from typing import Any

import pytest

from harness.common.files import read_json, write_json
from harness.common.markdown import first_table
from harness.params.params import Params
from harness.report.scores.write import write_scores
from harness.report.worlds.write import write_worlds
from harness.suites import SUITES
from tests.helpers.build_runs import build_runs, build_worlds, cells
from tests.helpers.toy_suite import write_toy_suite

MARK = ": A TRIAL, NOT A RESULT"
MAIN: dict[str, Any] = {
    "table": ["none", "random", "k_center"],
    "seed_groups": ["s0_1_2"],
    "further": {},
    "studies": {},
    "evaluate": {"suite": "toy"},
}
FULL = {"parameters": 937_216, "trainable_parameters": 937_216, "precision": "float32"}
LORA = {**FULL, "trainable_parameters": 12_288, "precision": "bfloat16"}


def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SUITES, "toy", write_toy_suite(tmp_path / "suite"))


def note(cell: Path, **more: object) -> None:
    """Add to a cell's manifests."""
    for path in (cell / "train").glob("seed_*.json"):
        write_json(path, {**read_json(path), **more})


@pytest.fixture
def main(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    toy(tmp_path, monkeypatch)
    return build_runs(tmp_path, **MAIN)


def test_a_trial_in_the_main_table(main: Params) -> None:
    folder = write_scores(main, "main")
    text = (folder / "table.md").read_text()
    assert "trial" not in text.lower()
    assert "Against random, with this" in text or "Against random, in this" in text
    for cell in cells("main", "random"):
        note(cell, whole_steps=1_300)
    folder = write_scores(main, "main")
    text = (folder / "table.md").read_text()
    assert text.splitlines()[0].endswith(MARK)
    assert [line[0] for line in first_table(text)[1:]] == ["none", "random (trial)", "k_center"]
    assert "A trial: train.max_steps stopped training after 20 of 1,300 steps in random. " in text
    assert "Against random, with this" not in text
    assert "Against random, in this" not in text
    tex = (folder / "table.tex").read_text()
    assert MARK in tex
    assert "random (trial)" in tex
    with (folder / "table.csv").open() as file:
        trials = {line["selection"]: line["trial"] for line in csv.DictReader(file)}
    assert trials == {"none": "", "random": "True", "k_center": ""}
    summary = read_json(folder.parent / "summary.json")
    assert [name for name, row in summary.items() if row.get("trial")] == ["random"]


def test_a_whole_run_is_no_trial(main: Params) -> None:
    for cell in cells("main", "random", "k_center"):
        note(cell, whole_steps=20)
    assert "trial" not in (write_scores(main, "main") / "table.md").read_text().lower()


def test_how_models_were_trained(main: Params) -> None:
    for cell in cells("main", "random", "k_center"):
        note(cell, **FULL)
    text = (write_scores(main, "main") / "table.md").read_text()
    assert "\nTrained in full: 937,216 parameters, in float32.\n" in text
    for cell in cells("main", "k_center"):
        note(cell, **LORA)
    text = (write_scores(main, "main") / "table.md").read_text()
    assert "Trained in full: 937,216 parameters, in float32 (random)." in text
    beside = "12,288 parameters beside the 937,216 of the base model, in bfloat16 (k_center)."
    assert f"Trained by LoRA: {beside}" in text


def test_a_trial_over_worlds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(tmp_path, monkeypatch)
    worlds = {
        "seed_groups": ["s0_1"],
        "worlds": {"w1": {"seed": 1}, "w2": {"seed": 2}},
        "world_rows": ["random", "k_center"],
        "world_reports": {"worlds": {"baseline": "random"}},
    }
    params = build_worlds(tmp_path, **{**MAIN, **worlds})
    assert "Against random" in (write_worlds(params, "worlds") / "table.md").read_text()
    for path in Path("worlds/w2/runs/main/k_center").glob("*"):
        note(path, whole_steps=99)
    text = (write_worlds(params, "worlds") / "table.md").read_text()
    assert text.splitlines()[0].endswith(MARK)
    assert "after 20 of 99 steps in k_center." in text
    assert "Against random" not in text
