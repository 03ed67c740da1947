"""Which pairs are tested, with which p, and that sentences follow the numbers."""

import csv
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from harness.common import layout
from harness.common.files import read_json, write_json
from harness.common.markdown import first_table
from harness.common.schemas import SAMPLES, read_frame, write_frame
from harness.params.params import Params, load_params
from harness.report.scores.write import write_scores
from harness.report.shared.judging import families, judged
from harness.report.shared.study_table import read_study
from harness.statistics.differences import ALPHA, RowTable
from harness.suites import SUITES
from tests.helpers.build_runs import QUALITY, build_runs
from tests.helpers.small_repo import edit_params, further
from tests.helpers.toy_suite import write_toy_suite

NOT_DECIDED = "Not decided, as seeds are too few or scores do not vary"
NAMES = ["none", "random", "k_center", "km_random", "full"]


def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Params:  # noqa: ANN401
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SUITES, "toy", write_toy_suite(tmp_path / "suite"))
    monkeypatch.setitem(QUALITY, "k_center", 22.0)
    base: dict[str, Any] = {
        "table": NAMES,
        "seed_groups": ["s0_1_2"],
        "further": {},
        "studies": {},
        "evaluate": {"suite": "toy"},
        "report": {"baselines": ["random", "km_random"]},
    }
    return build_runs(tmp_path, **{**base, **changes})


def lines(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "table.csv").open(encoding="utf-8") as file:
        return {line["selection"]: line for line in csv.DictReader(file)}


def swap(one: str, other: str) -> None:
    """Give each of two rows the other's scores."""
    paths = [layout.RUNS / "main" / name / "s0_1_2" for name in (one, other)]
    for file in ("metrics.json", "samples.parquet"):
        first, second = (path / file for path in paths)
        kept = first.with_suffix(".kept")
        shutil.move(first, kept)
        shutil.move(second, first)
        shutil.move(kept, second)


def verdicts(folder: Path) -> dict[str, str]:
    """The page's paragraph of each baseline."""
    text = (folder / "table.md").read_text(encoding="utf-8")
    paragraphs = re.findall(r"^Against (\w+), in this world\. (.*)$", text, re.MULTILINE)
    return {name.replace("\\", ""): said.replace("\\", "") for name, said in paragraphs}


def test_every_sentence_turns_with_the_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = build(tmp_path, monkeypatch)
    folder = write_scores(params, "main")
    before, numbers = verdicts(folder), lines(folder)["k_center"]
    assert before["random"].startswith(f"Better: k_center (+{float(numbers['diff']):.1f}).")
    assert "No difference found: km_random (no more than" in before["random"]
    assert before["km_random"].startswith("Better: k_center (+")
    swap("k_center", "random")
    after = verdicts(write_scores(params, "main"))
    assert after["random"].startswith(f"Worse: k_center (−{float(numbers['diff']):.1f})")
    assert "Better" not in after["random"]
    assert after["km_random"].startswith("Better: random (+")


@pytest.mark.parametrize(
    ("quality", "sentence"),
    [
        (0.0, "random is better by {gap} points of Average."),
        (10.0, "no difference of random found (no more than {most} points of Average)."),
        (
            50.0,
            "random is worse by {gap} points of Average. Training does harm here: rows rank how "
            "little of it a subset does.",
        ),
    ],
)
def test_the_page_says_whether_training_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quality: float, sentence: str
) -> None:
    monkeypatch.setitem(QUALITY, "none", quality)
    folder = write_scores(build(tmp_path, monkeypatch), "main")
    page = (folder / "table.md").read_text(encoding="utf-8").replace("\\", "")
    said = re.findall(
        r"^Against none, the base model before fine-tuning: (.*)$", page, re.MULTILINE
    )
    line = lines(folder)["none"]
    low, high = sorted(abs(float(line[f"diff_{end}"])) for end in ("low", "high"))
    gap = f"{abs(float(line['diff'])):.1f} [{low:.1f}, {high:.1f}]"
    assert said == [sentence.format(gap=gap, most=f"{high:.1f}")]


def test_one_seed_says_nothing_about_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(QUALITY, "none", 0.0)
    params = build(tmp_path, monkeypatch, seed_groups=["s0"])
    page = (write_scores(params, "main") / "table.md").read_text(encoding="utf-8")
    said = "Against none, the base model before fine-tuning: not decided, too few seeds of random."
    assert said in page


def test_a_pair_of_two_families_has_one_p(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = lines(write_scores(build(tmp_path, monkeypatch), "main"))
    assert result["random"]["p_km_random"] == result["km_random"]["p"] != ""
    assert float(result["random"]["diff_km_random"]) == -float(result["km_random"]["diff"])
    assert result["random"]["p"] == result["km_random"]["p_km_random"] == ""
    assert {result[name]["p"] for name in ("none", "full")} == {""}
    assert float(result["full"]["diff_low"]) > 0  # an interval and no test


def share_models(one: str, other: str) -> None:
    """Let a row's manifests name the weights of another's."""
    for seed in range(3):
        ours, theirs = (
            layout.RUNS / "main" / name / "s0_1_2" / "train" / f"seed_{seed}.json"
            for name in (one, other)
        )
        write_json(ours, {**read_json(ours), "weights": read_json(theirs)["weights"]})


def test_a_row_of_the_baselines_models_is_not_compared_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = build(tmp_path, monkeypatch, table=[*NAMES, "kmq"])
    share_models("k_center", "random")
    folder = write_scores(params, "main")
    result = lines(folder)
    assert result["k_center"]["diff"] == result["k_center"]["p"] == ""
    # km_random and kmq against random; kmq alone against km_random: the rest is of the first.
    page = (folder / "table.md").read_text(encoding="utf-8").replace("\\", "")
    assert "the 2 selections tested against random and the 1 selection tested against" in page
    of_one_pair = {result[name]["p_km_random"] for name in ("random", "k_center")}
    assert of_one_pair == {result["km_random"]["p"]}


def test_rows_of_the_same_models_count_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = build(tmp_path, monkeypatch)
    alone = lines(write_scores(params, "main"))
    share_models("km_random", "k_center")
    folder = write_scores(params, "main")
    result = lines(folder)
    # One test instead of two: its p is not multiplied, and both rows show it.
    assert result["k_center"]["p"] == result["km_random"]["p"]
    for tested, line in ((2, alone["k_center"]), (1, result["k_center"])):
        t = stats.t.isf(ALPHA / 2 / tested, float(line["df"]))
        assert float(line["critical"]) == pytest.approx(t, rel=1e-3)
    assert float(result["k_center"]["seed_df"]) == float(alone["k_center"]["seed_df"]) - 2
    text = (folder / "table.md").read_text(encoding="utf-8")
    assert "k_center, km_random: the same models, counted once." in text.replace("\\", "")


def test_a_pair_of_the_main_table_is_not_tested_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = {
        f"other_{of}": further("other", of, "s0_1_2") for of in ("random", "k_center", "km_random")
    }
    study = {"studies": {"other": {"report": "scores"}}, "further": listed}
    params = build(tmp_path, monkeypatch, **study)
    folder = write_scores(params, "other")
    again = lines(folder)
    assert {line["p"] for line in again.values()} == {""}
    assert float(again["k_center"]["diff_low"]) > 0
    note = "Tested in the main table: random, k_center, km_random."
    assert note in (folder / "table.md").read_text(encoding="utf-8").replace("\\", "")
    edit_params(tmp_path, table=["none", "random", "km_random", "full"])
    new = lines(write_scores(load_params(), "other"))
    assert float(new["k_center"]["p"]) < 0.05
    assert new["km_random"]["p"] == ""


def test_too_few_seeds_are_not_decided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = build(tmp_path, monkeypatch, seed_groups=["s0"], table=["random", "k_center"])
    folder = write_scores(params, "main")
    assert verdicts(folder)["random"].startswith(f"{NOT_DECIDED}: k_center.")
    page = (folder / "table.md").read_text(encoding="utf-8")
    assert {lines(folder)["k_center"][name] for name in ("p", "detectable", "seed_sd")} == {""}
    assert "has two seeds: the intervals are over items alone." in page
    for claim in ("**", "Tests against", "Holm's method corrects"):
        assert claim not in page


def test_scores_that_do_not_vary_are_not_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = build(tmp_path, monkeypatch, table=["random", "k_center"])
    for cell in params.every_cell():
        folder = layout.RUNS / cell.path
        samples = read_frame(folder / "samples.parquet", SAMPLES)
        write_frame(folder / "samples.parquet", samples.assign(score=50.0), SAMPLES)
        metrics = read_json(folder / "metrics.json")
        for seed in metrics["seeds"].values():
            seed["scores"] = dict.fromkeys(seed["scores"], 50.0)
        write_json(folder / "metrics.json", metrics)
    folder = write_scores(params, "main")
    assert verdicts(folder)["random"].startswith(f"{NOT_DECIDED}: k_center.")
    page = (folder / "table.md").read_text(encoding="utf-8")
    assert not re.search(r"\b(nan|inf)\b|80% power\. Tests", page)
    assert "Tests against" not in page


def test_each_pair_is_counted_in_one_family(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_scores(build(tmp_path, monkeypatch), "main")
    page = (folder / "table.md").read_text(encoding="utf-8").replace("\\", "")
    counts = "the 2 selections tested against random and the 1 selection tested against km_random."
    assert f"Holm's method corrects p for {counts}" in page


def test_without_random_rows_are_judged_at_the_baselines_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["none", "k_center", "km_random", "full"]
    params = build(tmp_path, monkeypatch, table=names, report={"baselines": ["km_random"]})
    folder = write_scores(params, "main")
    assert lines(folder)["k_center"]["seed_df"] == "4.0"  # pooled with the baseline's
    page = (folder / "table.md").read_text(encoding="utf-8")
    assert "Not tested (another budget or base model): full." in page


def test_a_family_is_judged_at_its_baselines_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = build(tmp_path, monkeypatch)
    suite, rows = read_study(params, "main")
    table = judged(params, suite, rows)
    small = {name: replace(table.rows[name], budget="small") for name in ("k_center", "km_random")}
    table = RowTable(table.items, {**table.rows, **small}, table.budget)
    family = families(params, "main", table, rows)["km_random"]
    assert family["k_center"].seeds.source == "all"
    assert family["k_center"].seeds.df == 4


def test_the_baselines_are_those_of_the_params(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = build(tmp_path, monkeypatch)
    suite, rows = read_study(params, "main")
    table = judged(params, suite, rows)
    assert list(families(params, "main", table, rows)) == ["random", "km_random"]
    edit_params(tmp_path, report={"baselines": ["km_random"]})
    page = (write_scores(load_params(), "main") / "table.md").read_text(encoding="utf-8")
    heads = first_table(page)[0]
    assert "difference from km_random [95%]" in heads
    assert "difference from random [95%]" not in heads
