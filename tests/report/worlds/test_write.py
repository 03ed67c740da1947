"""The report over worlds against its files: numbers by hand, sentences that follow them."""

import csv
import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from harness.common.errors import InputError
from harness.common.files import read_json, write_json
from harness.common.markdown import first_table
from harness.params.params import Params, load_params
from harness.params.pruning import prune
from harness.report.worlds.write import write_worlds
from harness.suites import SUITES
from pipeline.report import run
from tests.helpers.build_runs import QUALITY, WHY, build_worlds
from tests.helpers.charts import drawn_charts
from tests.helpers.small_repo import edit_params
from tests.helpers.toy_suite import write_toy_suite

WORLDS = [f"w{i}" for i in range(1, 6)]
ROWS = ["random", "k_center", "km_random", "noise_0"]
T = float(stats.t.ppf(0.975, 4))


def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Params:  # noqa: ANN401
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SUITES, "toy", write_toy_suite(tmp_path / "suite"))
    monkeypatch.setitem(QUALITY, "k_center", 25.0)
    base: dict[str, Any] = {
        "seed_groups": ["s0_1", "s2"],
        "further": {},
        "studies": {},
        "evaluate": {"suite": "toy"},
        "worlds": {name: {"seed": i} for i, name in enumerate(WORLDS, 1)},
        "world_rows": ROWS,
        "world_reports": {"worlds": {"baseline": "random"}},
    }
    return build_worlds(tmp_path, **{**base, **changes})


def scores(world: str, row: str) -> list[float]:
    files = [Path(f"worlds/{world}/runs/main/{row}/{g}/metrics.json") for g in ("s0_1", "s2")]
    seeds = [one for file in files for one in json.loads(file.read_text())["seeds"].values()]
    assert len(seeds) == 3
    return [one["scores"]["avg"] for one in seeds]


def lines(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "table.csv").open(encoding="utf-8") as file:
        return {line["selection"]: line for line in csv.DictReader(file)}


def page(folder: Path) -> str:
    return (folder / "table.md").read_text(encoding="utf-8").replace("\\", "")


def p_of(gaps: list[float]) -> float:
    """Of a two-sided t test over the worlds."""
    t = abs(np.mean(gaps)) / (np.std(gaps, ddof=1) / np.sqrt(len(gaps)))
    return float(2 * stats.t.sf(t, len(gaps) - 1))


def swap(one: str, other: str) -> None:
    """Give each of two rows the other's scores, in every world."""
    for world in WORLDS:
        first, second = (Path(f"worlds/{world}/runs/main/{name}") for name in (one, other))
        shutil.move(first, "kept")
        shutil.move(second, first)
        shutil.move("kept", second)


def test_the_numbers_are_those_of_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_worlds(build(tmp_path, monkeypatch), "worlds")
    assert folder == Path("results/lab/worlds")
    result = lines(folder)
    assert list(result) == ROWS
    ps = {}
    for name in ROWS[1:]:
        ours = [scores(world, name) for world in WORLDS]
        theirs = [scores(world, "random") for world in WORLDS]
        gaps = [np.mean(a) - np.mean(b) for a, b in zip(ours, theirs, strict=True)]
        mean, sd = np.mean(gaps), np.std(gaps, ddof=1)
        seeds = [
            (np.var(a, ddof=1) + np.var(b, ddof=1)) / 3 for a, b in zip(ours, theirs, strict=True)
        ]
        wanted = {"diff": mean, "df": 4, "world_share": max(0, 1 - np.mean(seeds) / sd**2)}
        wanted |= {"diff_low": mean - T * sd / 5**0.5, "diff_high": mean + T * sd / 5**0.5}
        wanted |= {"new_low": mean - T * sd * 1.2**0.5, "new_high": mean + T * sd * 1.2**0.5}
        wanted |= {f"{world}_diff": gap for world, gap in zip(WORLDS, gaps, strict=True)}
        means = [np.mean(one) for one in ours]
        wanted |= {"avg": np.mean(means), "avg_sd": np.std(means, ddof=1)}
        wanted |= {"w2_avg": means[1], "w2_avg_sd": np.std(ours[1], ddof=1), "w2_seeds": 3}
        for field, value in wanted.items():
            assert float(result[name][field]) == pytest.approx(value, abs=1e-4), (name, field)
        ps[name] = p_of([float(gap) for gap in gaps])
    # noise_0 is a reference: an interval, and no test.
    assert result["noise_0"]["p"] == result["noise_0"]["verdict"] == ""
    assert float(result["k_center"]["p"]) == pytest.approx(2 * ps["k_center"], abs=1e-4)
    assert float(result["km_random"]["p"]) == pytest.approx(ps["km_random"], abs=1e-4)
    assert result["random"]["diff"] == ""
    assert (folder / "table.png").stat().st_size > 10_000


def test_every_sentence_turns_with_the_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = build(tmp_path, monkeypatch)
    folder = write_worlds(params, "worlds")
    said, line = page(folder), lines(folder)
    begin = "Against random, over 5 generated worlds, for worlds like these. "
    assert f"{begin}Better: k_center (+{float(line['k_center']['diff']):.1f})." in said
    most = max(abs(float(line["km_random"][f"diff_{end}"])) for end in ("low", "high"))
    assert f"No difference found: km_random (no more than {most:.1f})." in said
    assert "in this world" not in said
    assert "over 5 worlds, each with a pool, benchmarks and a base model of its own" in said
    table = first_table((folder / "table.md").read_text(encoding="utf-8"))
    assert [row[0] for row in table[-3:]] == ROWS[1:]
    assert said.count("**") == 2  # one cell is bold
    assert re.search(r"^\| k_center +\| +\*\*\+", said, re.MULTILINE)
    swap("k_center", "random")
    said = page(write_worlds(params, "worlds"))
    assert f"{begin}Worse: k_center (−" in said
    assert "Better" not in said
    assert "**" not in said


def test_one_world_decides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_worlds(build(tmp_path, monkeypatch, worlds={"w1": {"seed": 1}}), "worlds")
    said, line = page(folder), lines(folder)["k_center"]
    wanted = "over 1 generated world, for worlds like these. "
    assert (
        f"{wanted}Not decided, as worlds are too few or scores do not vary: k_center, km_random."
        in said
    )
    assert float(line["diff"]) > 0
    assert {line[name] for name in ("p", "diff_low", "new_high", "world_share")} == {""}


def test_rows_of_the_same_models_count_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = build(tmp_path, monkeypatch)
    for world in WORLDS:
        for file in Path(f"worlds/{world}/runs/main/km_random").rglob("seed_*.json"):
            twin = Path(str(file).replace("km_random", "k_center"))
            write_json(file, {**read_json(file), "weights": read_json(twin)["weights"]})
    result = lines(write_worlds(params, "worlds"))
    gaps = [float(result["k_center"][f"{world}_diff"]) for world in WORLDS]
    assert float(result["k_center"]["p"]) == pytest.approx(p_of(gaps), abs=1e-4)
    assert result["km_random"]["p"] == result["k_center"]["p"]


def test_a_benchmark_that_one_world_lacks_is_left_out_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.common.schemas import SAMPLES, read_frame, write_frame

    params = build(tmp_path, monkeypatch)
    cell = Path("worlds/w3/runs/main/km_random/s2")
    metrics = read_json(cell / "metrics.json")
    metrics["seeds"]["2"]["scores"] |= {name: {"not_run": WHY} for name in ("one", "avg")}
    write_json(cell / "metrics.json", metrics)
    samples = read_frame(cell / "samples.parquet", SAMPLES)
    write_frame(cell / "samples.parquet", samples.query("task != 'one'"), SAMPLES)
    folder = write_worlds(params, "worlds")
    result = lines(folder)
    ours = [
        np.mean([seed["scores"][name] for name in ("two", "three")])
        for group in ("s0_1", "s2")
        for seed in read_json(Path(f"worlds/w1/runs/main/k_center/{group}/metrics.json"))[
            "seeds"
        ].values()
    ]
    assert float(result["k_center"]["w1_avg_of_2"]) == pytest.approx(np.mean(ours), abs=1e-4)
    assert "Not run: One in km_random" in page(folder)


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = build(tmp_path, monkeypatch)
    shutil.rmtree("worlds/w2/runs/main/noise_0/s2")
    with pytest.raises(InputError, match=r"worlds/w2/.*run dvc repro world_row@w2-noise_0$"):
        write_worlds(params, "worlds")
    edit_params(tmp_path, world_rows=["k_center"])
    with pytest.raises(InputError, match="worlds needs worlds and random in world_rows"):
        write_worlds(load_params(), "worlds")


def test_the_stage_writes_it_and_takes_away_what_params_drop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(tmp_path, monkeypatch)
    edit_params(tmp_path, world_rows=ROWS[:3], world_reports={"again": {"baseline": "km_random"}})
    Path("results/lab/worlds").mkdir(parents=True)
    run("again")
    assert Path("results/lab/again/table.md").is_file()
    assert not Path("results/lab/worlds").exists()
    assert not Path("worlds/w1/runs/main/noise_0").exists()
    assert Path("worlds/w1/runs/main/k_center").exists()
    with pytest.raises(InputError, match="no report is called 'worlds'"):
        run("worlds")
    edit_params(tmp_path, world_reports={}, worlds={})
    prune(load_params())
    assert not Path("worlds/w1").exists()
    assert not Path("results/lab/again").exists()


def test_a_single_seed_has_no_share_of_worlds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_worlds(build(tmp_path, monkeypatch, seed_groups=["s0"]), "worlds")
    line = lines(folder)["k_center"]
    assert line["world_share"] == ""
    assert not math.isnan(float(line["p"]))
    assert "with few worlds it is rough, and needs two seeds of both rows." in page(folder)


def test_every_chart_of_the_page_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_worlds(build(tmp_path, monkeypatch), "worlds")
    assert list(drawn_charts("worlds")) == ["Differences from random over 5 worlds"]
