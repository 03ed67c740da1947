"""The pages and plots of studies by round."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from harness.common import layout
from harness.common.files import read_json, write_json
from harness.common.markdown import markdown_text
from harness.common.schemas import TRUTH, read_frame, write_frame
from harness.params.params import Params
from harness.report.curves.inputs import read_curve_study
from harness.report.curves.lines import loop_lines, score_lines
from harness.report.curves.write import claims, markdown, write_curves
from harness.report.shared.tables import BLANK, flops_text
from tests.helpers.build_runs import QUALITY
from tests.helpers.by_round_tree import (
    LISTED,
    SELECTIONS,
    build_in,
    changed,
    copy_of,
    describe,
    evaluate,
    listing,
    plain,
    same,
    table_after,
)

ROUND_SELECTIONS: dict[str, Any] = SELECTIONS["selections_rounds"]
FILES = {
    "scorers": {"table.csv", "table.md", "table.png", "rounds.csv", "weights.png"},
    "rounds": {"table.csv", "table.md", "table.png", "rounds.csv"},
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_in(tmp_path_factory.mktemp("by_round"))


@pytest.fixture
def tree(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    return copy_of(built, tmp_path, monkeypatch)


def text_of(params: Params, study: str) -> str:
    """The report's text, without drawing its pictures."""
    result = read_curve_study(params, study)
    lines = score_lines(result)
    return markdown(result, lines, loop_lines(result), claims(result, lines))


def test_the_tables_say_what_the_csv_says(tree: Params) -> None:
    folder = write_curves(tree, "scorers")
    text = (folder / "table.md").read_text(encoding="utf-8")
    wanted = pd.read_csv(folder / "table.csv").to_dict("records")
    shown = table_after(text, "# Iterative")
    assert [row["selection"] for row in shown] == [line["selection"] for line in wanted]
    for row, line in zip(shown, wanted, strict=True):
        assert (row["rows"], row["seeds"]) == (str(line["rows"]), str(line["seeds"]))
        heads = {"Average": "avg", "difference from random [95%]": "diff", "One": "one"}
        assert all(same(row[head], line[name], 1) for head, name in heads.items())
        assert same(row["p (Holm)"], line["p"], 3)
    loops = pd.read_csv(folder / "rounds.csv").to_dict("records")
    tables = {
        "## What the loop cost": {
            "rows": ("rows", 0, 1),
            "tokens trained": ("tokens_trained", 0, 1),
            "tokens generated": ("tokens_generated", 0, 1),
            "tokens scored": ("tokens_scored", 0, 1),
            "model calls": ("model_calls", 0, 1),
            "selection (s)": ("seconds", 2, 1),
            "training (s)": ("train_seconds", 2, 1),
            "Average": ("avg", 1, 1),
        },
        "## What the answers gained": {
            "score of gold": ("gold", 3, 1),
            "of generated": ("generated", 3, 1),
            "generated gained": ("score_gain", 3, 1),
            "Average gained": ("gain_before", 2, 1),
            "Average gains next": ("gain_next", 2, 1),
        },
        "## Weights of the clusters": {
            "clusters": ("clusters", 0, 1),
            "effective number": ("effective_clusters", 1, 1),
            "on clusters of mostly noise": ("noisy_weight", 1, 100),
            "noise by weight": ("weighted_noise", 1, 100),
        },
    }
    for heading, columns in tables.items():
        rows = table_after(text, heading)
        assert len(rows) == len(loops) == 6
        for row, line in zip(rows, loops, strict=True):
            assert (row["selection"], row["round"]) == (line["selection"], str(line["round"]))
            for head, (name, digits, scale) in columns.items():
                assert same(row[head], line[name], digits, scale), (head, row, line)
            if heading == "## What the loop cost":
                for head, name in (("selection", "flops"), ("training", "train_flops")):
                    assert row[f"{head} (FLOPs)"] == flops_text(line[name])


def test_the_page_describes_its_study(tree: Params) -> None:
    text = text_of(tree, "scorers")
    assert "A miniature" in text
    assert "Holm's method corrects p for 9 differences" in text
    assert "No random of the same size" not in text
    assert "2 of the 6 of by_reward, 2 of the 6 of by_perplexity" in text
    assert "an answer gains what its score falls by" in text
    rounds = text_of(tree, "rounds")
    assert "A miniature" in rounds
    for one in (text, rounds):
        assert "Vendi score: effective number" in one
        assert all(plain(row["Vendi score"]) for row in table_after(one, "# "))
    assert "judge" not in rounds
    assert "Weights" not in rounds


def test_the_judge_has_a_row_or_a_reason(tree: Params) -> None:
    text = text_of(tree, "scorers")
    assert "The LLM judge has no row: " in text
    assert "USD" not in text
    asked = {**ROUND_SELECTIONS["by_reward"], "scorer": "judge"}
    params = changed(selections_rounds={**ROUND_SELECTIONS, "by_reward": asked})
    files = sorted(layout.selection_folder("by_reward").rglob("rounds.json"))
    assert len(files) == 3
    for number, path in enumerate(files):
        rounds = read_json(path)
        for one in rounds[:2]:  # as a judge's phase writes; 0.25 + 0.01 USD a round on average
            one["cost"] |= {"judge_answers": 8, "judge_left_out": 1, "usd": 0.25 + number / 100}
        write_json(path, rounds)
    describe(params, "scorers")
    text = text_of(params, "scorers")
    assert "The LLM judge has no row" not in text
    rows = table_after(text, "## What the loop cost")
    of_judge = [
        [row[name] for name in ("judge answers", "left out by the judge", "USD")] for row in rows
    ]
    assert of_judge[:3] == [["8", "1", "0.26"], ["16", "2", "0.52"], ["16", "2", "0.52"]]
    assert of_judge[3:] == [[BLANK] * 3] * 3
    for path in files:  # prices are unknown
        rounds = read_json(path)
        for one in rounds[:2]:
            del one["cost"]["usd"]
        write_json(path, rounds)
    describe(params, "scorers")
    (head, *_) = table_after(text_of(params, "scorers"), "## What the loop cost")
    assert "judge answers" in head
    assert "USD" not in head


def test_rounds_whose_reward_rose_without_the_benchmarks_are_named(
    tree: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {}
    for better in (30.0, 2.0):
        monkeypatch.setitem(QUALITY, "by_reward_2", better)
        # The score by perplexity got worse: whatever the benchmarks do, nothing was hacked.
        monkeypatch.setitem(QUALITY, "by_perplexity_2", 2.0)
        evaluate(tree, "scorers", "by_reward_2", "by_perplexity_2")
        texts[better] = text_of(tree, "scorers")
    assert "By their means, in none of the 2 rounds that can be compared" in texts[30.0]
    assert "rose and Average did not: by_reward in round 2 (score +0.050, Average −" in texts[2.0]
    assert "by_perplexity in round 2" not in texts[2.0]
    without = [name for name in LISTED["scorers"] if not name.endswith("_2")]
    text = text_of(changed(further=listing({"scorers": without})), "scorers")
    assert "cannot be said" in text


def test_a_best_row_is_bold_only_where_it_differs_from_random(
    tree: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "**" not in text_of(tree, "rounds")
    for name, bold in (("evolved_2", "| evolved"), ("random_8", "")):
        monkeypatch.setitem(QUALITY, name, 40.0 if bold else 60.0)
        evaluate(tree, "rounds", name)
        result = [line for line in text_of(tree, "rounds").splitlines() if "**" in line]
        assert [line.split("  ")[0] for line in result] == ([bold] if bold else [])


def test_a_size_without_random_has_no_difference_and_is_named(tree: Params) -> None:
    names = [name for name in LISTED["rounds"] if name != "random_8"]
    params = changed(further=listing({"rounds": names}))
    text = text_of(params, "rounds")
    assert "No random of the same size is in the study for: evolved_2." in text
    assert "corrects p for 1 difference;" in text
    row = next(
        r for r in table_after(text, "# D") if (r["selection"], r["rows"]) == ("evolved", "8")
    )
    assert (row["difference from random [95%]"], row["p (Holm)"]) == (BLANK, BLANK)


def test_random_in_fewer_seeds_is_of_the_same_size(tree: Params) -> None:
    read = read_curve_study(tree, "rounds")
    [random] = [point for point in read.points if point.row.name == "random_8"]
    fewer = replace(random, row=replace(random.row, seeds=random.row.seeds[:1]))
    assert fewer.sizes == (8,)
    result = replace(read, points=[fewer if one is random else one for one in read.points])
    assert result.point_of("random", (8, 8, 8)) is fewer
    assert result.point_of("random", (8, 9, 8)) is None


def test_random_of_another_base_model_is_not_compared_with(tree: Params) -> None:
    read = read_curve_study(tree, "rounds")
    [random] = [point for point in read.points if point.row.name == "random_8"]
    cells = tuple(replace(cell, base="wide") for cell in random.row.cells)
    other = replace(random, row=replace(random.row, cells=cells))
    result = replace(read, points=[other if one is random else one for one in read.points])
    assert result.point_of("random", (8, 8, 8)) is None
    assert result.point_of("random", (8, 8, 8), "wide") is other
    line = next(line for line in score_lines(result) if line["row"] == "evolved_2")
    assert line["against"] == ""


def test_references_are_compared_and_not_tested(tree: Params) -> None:
    read = read_curve_study(tree, "rounds")
    known = {**read.params.selections_rounds}
    del known["evolved"]
    params = read.params.model_copy(update={"selections_rounds": known})
    line = next(
        line for line in score_lines(replace(read, params=params)) if line["row"] == "evolved_2"
    )
    assert line["remark"] == "a reference"
    assert np.isfinite(line["diff"])
    assert np.isnan(line["p"])


def test_an_outlying_baseline_is_named(tree: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "varies more" not in text_of(tree, "rounds")
    monkeypatch.setattr("harness.statistics.differences.OUTLYING", 0.0)  # any variance is beyond
    monkeypatch.setattr("harness.statistics.differences.LEAST_DF", 1)
    assert "random_8 varies more over seeds than the others" in text_of(tree, "rounds").replace(
        "\\", ""
    )


def test_a_warning_of_rounds_is_shown_once_with_its_seeds(tree: Params) -> None:
    warning = "every cluster scored 0.5:\nthe weights|<b>stay</b> as they are\x1b[0m"
    for group, seed in (("s0_1", 0), ("s2", 2)):
        path = layout.selection_folder("by_reward") / group / f"seed_{seed}" / "rounds.json"
        rounds = read_json(path)
        rounds[1]["notes"] = [warning]
        write_json(path, rounds)
    describe(tree, "scorers")
    assert f"\n- by_reward, round 2 (seeds 0, 2): {markdown_text(warning)}\n" in text_of(
        tree, "scorers"
    )
    assert warning not in text_of(tree, "rounds")


def test_one_seed_has_no_deviation(tree: Params) -> None:
    alone = listing({"scorers": LISTED["scorers"]}, groups=("s2",))
    text = text_of(changed(seed_groups=["s2"], further=alone), "scorers")
    assert all("±" not in row["Average"] for row in table_after(text, "# Iter"))
    assert {row["seeds"] for row in table_after(text, "# Iter")} == {"1"}


def test_noise_is_reported_where_there_is_some(tree: Params) -> None:
    truth = read_frame(layout.TRUTH_FILE, TRUTH)
    write_frame(layout.TRUTH_FILE, truth.assign(noise="none").astype("str"), TRUTH)
    describe(tree, "scorers")
    clean = text_of(tree, "scorers")
    assert "none of the 6 of by_reward" in clean
    rows = table_after(clean, "## Weights")
    assert {row["on clusters of mostly noise"] for row in rows} == {BLANK}
    assert {row["noise by weight"] for row in rows} == {"0.0%"}
    write_frame(layout.TRUTH_FILE, truth.iloc[:0], TRUTH)
    describe(tree, "scorers")
    assert "noise" not in text_of(tree, "scorers").partition("## Weights")[2]


def test_weights_are_reported_in_any_study_whose_loop_weighed(tree: Params) -> None:
    rows = ["random_4", *(f"{of}_{r}" for of in ("evolved", "by_reward") for r in (1, 2, 3))]
    params = changed(further=listing({"rounds": rows}))
    evaluate(params, "rounds")
    describe(params, "rounds")
    assert {path.name for path in write_curves(params, "rounds").iterdir()} == FILES["scorers"]
    text = text_of(params, "rounds")
    loops = [(row["selection"], row["round"]) for row in table_after(text, "## What the loop")]
    assert loops == [(of, str(r)) for of in ("evolved", "by_reward") for r in (1, 2, 3)]
    for heading in ("## What the answers gained", "## Weights"):
        shown = table_after(text, heading)
        assert [row["selection"] for row in shown] == ["by_reward"] * 3
    assert plain(shown[0]["on clusters of mostly noise"]) is not None
    assert "of mostly noise hold" in text


def test_a_study_without_a_loop_does_not_mention_rounds(tree: Params) -> None:
    params = changed(further=listing({"scorers": ["random_4", "kmq_4", "kmq_8"]}))
    folder = write_curves(params, "scorers")
    assert {path.name for path in folder.iterdir()} == {"table.csv", "table.md", "table.png"}
    text = (folder / "table.md").read_text(encoding="utf-8")
    assert "loop" not in text
    assert "rounds.csv" not in text
    assert "judge" not in text
    assert "No random of the same size is in the study for: kmq_8." in text


@pytest.mark.parametrize("study", FILES)
def test_files_are_the_same_again_and_pictures_show_something(tree: Params, study: str) -> None:
    folder = write_curves(tree, study)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(before) == FILES[study]
    for name, content in before.items():
        if name.endswith(".png"):
            assert len(content) < 250_000
            with Image.open(folder / name) as image:
                assert min(image.size) > 300
                assert len(image.convert("RGB").getcolors(2**24) or ()) > 20
    write_curves(tree, study)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
