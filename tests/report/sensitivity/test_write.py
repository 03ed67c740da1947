"""The lab's proofs: computed from the files, the failed ones shown as failed."""

import csv
import shutil
from pathlib import Path

import pytest

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import read_json
from harness.params.params import load_params
from harness.report.sensitivity.write import write_sensitivity
from harness.report.shared.runs import cells_by_row, read_row
from harness.suites import SUITES, load_suite
from tests.helpers.build_runs import (
    QUALITY,
    build_runs,
    cells,
    proofs_alone,
    write_cell,
    write_params,
)
from tests.helpers.charts import drawn_charts
from tests.helpers.presets import preset_file
from tests.helpers.small_repo import further
from tests.helpers.toy_suite import write_toy_suite


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SUITES, "toy", write_toy_suite(tmp_path / "suite"))
    return tmp_path


def proofs(results: Path) -> dict[str, dict[str, str]]:
    with (results / "table.csv").open(encoding="utf-8") as file:
        return {line["name"]: line for line in csv.DictReader(file) if line["part"] == "proof"}


def averages(name: str) -> list[float]:
    read = [read_json(cell / "metrics.json")["seeds"] for cell in cells("sensitivity", name)]
    return [seed["scores"]["avg"] for seeds in read for seed in seeds.values()]


def test_the_numbers_are_those_of_the_files(folder: Path) -> None:
    import numpy as np

    params = build_runs(folder, **proofs_alone())
    results = write_sensitivity(params, "sensitivity")
    result = proofs(results)
    random = averages("random")
    assert len(random) == 8
    sd = float(np.std(random, ddof=1))
    oracle = float(np.mean(averages("oracle")) - np.mean(random))
    assert float(result["deviation"]["value"]) == pytest.approx(sd, abs=1e-4)
    assert float(result["oracle"]["value"]) == pytest.approx(oracle / sd, abs=1e-3)
    gain = averages("full_clean")[0] - averages("none")[0]
    assert float(result["gain"]["value"]) == pytest.approx(gain, abs=1e-4)
    assert {line["verdict"] for line in result.values()} == {"holds"}
    assert "5 of 5 proofs hold." in (results / "table.md").read_text(encoding="utf-8")
    assert (results / "table.png").stat().st_size > 10_000


def test_failed_proofs_are_shown_as_failed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(QUALITY, "full_clean", 12.0)
    monkeypatch.setitem(QUALITY, "oracle", 11.0)
    monkeypatch.setitem(QUALITY, "noise_0", 2.0)
    monkeypatch.setitem(QUALITY, "skills_25", 30.0)
    names = list(
        dict.fromkeys(cell.of for cell in load_params(preset_file("lab")).cells("sensitivity"))
    )
    listed = {name: further("sensitivity", name, "s0_1") for name in names}
    params = build_runs(folder, **proofs_alone(seed_groups=["s0_1"], further=listed))
    results = write_sensitivity(params, "sensitivity")
    result = proofs(results)
    assert {name for name, line in result.items() if line["verdict"] == "FAILS"} == set(result)
    assert "fewer than 8 seeds" in result["deviation"]["remark"]
    text = (results / "table.md").read_text(encoding="utf-8")
    assert "0 of 5 proofs hold. Failed: gain, oracle, noise, coverage, deviation." in text


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("random", "sensitivity_random_3_4"),
        ("noise_25", "sensitivity_noise_25"),
    ],
)
def test_a_missing_cell_names_its_stage(folder: Path, name: str, key: str) -> None:
    params = write_params(folder, evaluate={"suite": "toy"})
    needed = cells_by_row(params, "sensitivity")[name]
    for cell in needed:
        write_cell(params, load_suite("toy"), cell)
    (layout.RUNS / "sensitivity" / key / "metrics.json").unlink()
    with pytest.raises(InputError, match=f"dvc repro evaluate_further@{key}$"):
        read_row(params, needed)


def test_only_the_cells_of_its_own_study_are_read(folder: Path) -> None:
    params = build_runs(folder, **proofs_alone())
    before = (write_sensitivity(params, "sensitivity") / "table.csv").read_bytes()
    shutil.rmtree(layout.RUNS / "main")
    assert (write_sensitivity(params, "sensitivity") / "table.csv").read_bytes() == before


def test_a_row_missing_from_params_is_named(folder: Path) -> None:
    params = build_runs(folder, **proofs_alone())
    kept = {key: item for key, item in params.further.items() if item.of != "oracle"}
    with pytest.raises(InputError, match=r"the study sensitivity needs oracle; no entry of"):
        write_sensitivity(params.model_copy(update={"further": kept}), "sensitivity")


def test_every_chart_of_the_page_draws(folder: Path) -> None:
    write_sensitivity(build_runs(folder, **proofs_alone()), "sensitivity")
    assert list(drawn_charts("sensitivity")) == ["Average of subsets with known faults"]
