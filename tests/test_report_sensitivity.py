"""The lab's proofs: computed from the files, the failed ones shown as failed."""

import csv
from pathlib import Path

import pytest

from harness import layout
from harness.errors import InputError
from harness.files import read_json
from harness.report import write_sensitivity_report
from harness.report.reading import every_cell, read_row
from harness.suites import SUITES, load_suite
from tests.build_runs import QUALITY, build_runs, write_cell, write_params
from tests.toy_suite import write_toy_suite


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SUITES, "toy", write_toy_suite(tmp_path / "suite"))
    return tmp_path


def proofs(results: Path) -> dict[str, dict[str, str]]:
    with (results / "sensitivity.csv").open(encoding="utf-8") as file:
        return {line["name"]: line for line in csv.DictReader(file) if line["part"] == "proof"}


def averages(study: str, name: str, group: str) -> list[float]:
    seeds = read_json(layout.cell_folder(study, name, group) / "metrics.json")["seeds"]
    return [seed["scores"]["avg"] for seed in seeds.values()]


def test_the_numbers_are_those_of_the_files(folder: Path) -> None:
    import numpy as np

    params = build_runs(folder, evaluate={"suite": "toy"})
    results = write_sensitivity_report(params)
    found = proofs(results)
    random = averages("main", "random", "s0_1_2")
    for group in ("s3_4", "s5_6_7"):
        random += averages("sensitivity", "random", group)
    assert len(random) == 8
    sd = float(np.std(random, ddof=1))
    oracle = float(np.mean(averages("sensitivity", "oracle", "s0_1_2")) - np.mean(random))
    assert float(found["deviation"]["value"]) == pytest.approx(sd, abs=1e-4)
    assert float(found["oracle"]["value"]) == pytest.approx(oracle / sd, abs=1e-3)
    gain = averages("main", "full_clean", "s0_1_2")[0] - averages("main", "none", "s0_1_2")[0]
    assert float(found["gain"]["value"]) == pytest.approx(gain, abs=1e-4)
    assert {line["verdict"] for line in found.values()} == {"holds"}
    assert "5 of 5 claims hold." in (results / "sensitivity.md").read_text(encoding="utf-8")
    assert (results / "sensitivity.png").stat().st_size > 10_000


def test_failed_proofs_are_shown_as_failed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(QUALITY, "full_clean", 12.0)
    monkeypatch.setitem(QUALITY, "oracle", 11.0)
    monkeypatch.setitem(QUALITY, "noise_0", 2.0)
    monkeypatch.setitem(QUALITY, "skills_25", 30.0)
    params = build_runs(folder, evaluate={"suite": "toy"}, groups={"main": ["s0_1"], "more": []})
    results = write_sensitivity_report(params)
    found = proofs(results)
    assert {name for name, line in found.items() if line["verdict"] == "FAILS"} == set(found)
    assert "fewer than 8 seeds" in found["deviation"]["remark"]
    text = (results / "sensitivity.md").read_text(encoding="utf-8")
    assert "0 of 5 claims hold. Failed: gain, oracle, noise, coverage, deviation." in text


@pytest.mark.parametrize(
    ("name", "group", "stage"),
    [
        ("random", "s3_4", "evaluate_seeds@random-s3_4"),
        ("noise_25", "s0_1_2", "evaluate_sensitivity@noise_25-s0_1_2"),
    ],
)
def test_a_missing_cell_names_its_stage(folder: Path, name: str, group: str, stage: str) -> None:
    params = write_params(folder, evaluate={"suite": "toy"})
    needed = every_cell(params, name)
    for study, other in needed:
        write_cell(params, load_suite("toy"), study, name, other)
    (layout.cell_folder("sensitivity", name, group) / "metrics.json").unlink()
    with pytest.raises(InputError, match=f"dvc repro {stage}"):
        read_row(params, name, needed)
