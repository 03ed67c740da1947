"""The paper's claims, judged by what a study measured."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.common import layout
from harness.common.timings import read_timed, write_timed
from harness.params.params import Params
from harness.published.claims import CONTRARY, HOLDS, OPEN, judge_correlation, judge_differences
from harness.report.scores.table import build_table
from harness.report.scores.write import write_scores
from harness.statistics.differences import NAN, RowTable
from harness.statistics.items import Items
from harness.statistics.ranks import RankCorrelation, rank_correlation
from harness.suites import SUITES
from tests.helpers import build_runs
from tests.helpers.small_repo import selection
from tests.helpers.toy_suite import write_toy_suite

NAMES = ("random", "deita", "k_center", "km_random", "kmq")


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """A main table in which km_random is far above k_center, kmq far below, and deita as good."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SUITES, "toy", write_toy_suite(tmp_path / "suite"))
    for name, points in {"km_random": 30.0, "deita": 30.0, "kmq": 5.0}.items():
        monkeypatch.setitem(build_runs.QUALITY, name, points)
    return build_runs.build_runs(
        tmp_path,
        preset="lab",
        seed_groups=["s0_1_2"],
        selections={name: selection(name) for name in ("random", "k_center", "km_random")},
        selections_scored={name: selection(name, quality="reward") for name in ("deita", "kmq")},
        selections_rounds={},
        references={"none": {"rows": "none", "seeds": [0]}},
        table=["none", *NAMES],
        further={},
        studies={},
        report={"baselines": ["random"]},
        evaluate={"suite": "toy"},
    )


def test_claims_of_two_rows_that_are_there_are_judged(params: Params) -> None:
    folder = write_scores(params, "main")
    claims = pd.read_csv(folder / "claims.csv").set_index("pair")
    assert list(claims.index) == [
        "km_random − deita",
        "km_random − k_center",
        "kmq − km_random",
        "km_random − random",
        "kmq − random",
    ]
    assert claims.loc["km_random − k_center", "verdict"] == HOLDS
    assert claims.loc["km_random − random", "verdict"] == HOLDS
    assert claims.loc["kmq − km_random", "verdict"] == CONTRARY
    assert claims.loc["km_random − deita", "verdict"] == OPEN
    assert claims.loc["kmq − random", "published"] == pytest.approx(46.2 - 43.8)
    for line in claims.to_dict("records"):
        assert line["low"] <= line["value"] <= line["high"]
        assert (line["p"] < 0.05) == (line["verdict"] != OPEN)


def test_a_pair_has_the_p_of_the_table_and_the_others_are_corrected_together(
    params: Params,
) -> None:
    folder = write_scores(params, "main")
    claims = pd.read_csv(folder / "claims.csv").set_index("pair")["p"].to_dict()
    table = pd.read_csv(folder / "table.csv").set_index("selection")["p"].to_dict()
    for name in ("km_random", "kmq"):
        assert claims[f"{name} − random"] == pytest.approx(table[name], abs=1e-4)
    rows = build_table(params, "main").judged
    rows = rows.at(rows.rows["random"].budget)
    pairs = [("km_random", "deita"), ("km_random", "k_center"), ("kmq", "km_random")]
    raw = sorted((rows.difference(*pair).p, f"{pair[0]} − {pair[1]}") for pair in pairs)
    largest = 0.0
    for factor, (p, pair) in zip((3, 2, 1), raw, strict=True):  # Holm 1979
        largest = max(largest, min(1.0, factor * p))
        assert claims[pair] == pytest.approx(largest, abs=1e-5)
    text = (folder / "table.md").read_text()
    assert "## What the paper claims, and what this study says of it" in text
    assert "## Table 2 of arXiv 2409.11378, beside what is measured here" in text


def test_of_trials_nothing_is_claimed(params: Params) -> None:
    for path in layout.RUNS.glob("main/random/*/train/seed_*.json"):
        write_timed(path, {**read_timed(path), "whole_steps": 99})
    folder = write_scores(params, "main")
    assert not (folder / "claims.csv").exists()
    assert "What the paper claims" not in (folder / "table.md").read_text()


def test_a_study_of_which_nothing_is_claimed_has_no_claims() -> None:
    rows = RowTable(Items.even(np.zeros(1, dtype=int)), {}, 600)
    assert judge_differences("worlds", rows, {}) == []


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.5, 6.0, 8.0], HOLDS),
        ([8.0, 6.0, 6.5, 5.0, 4.0, 3.0, 2.0, 1.0], CONTRARY),
        ([3.0, 8.0, 1.0, 6.0, 5.0, 2.0, 7.0, 4.0], OPEN),
    ],
)
def test_silhouette_predicts_or_not(scores: list[float], verdict: str) -> None:
    result = rank_correlation([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], scores)
    (claim,) = judge_correlation("clusters", result)
    assert claim.verdict == verdict
    assert claim.correlation
    assert -1 <= claim.published <= 1


def test_too_few_clusterings_decide_nothing() -> None:
    (claim,) = judge_correlation("clusters", RankCorrelation(NAN, NAN, NAN, NAN, 3))
    assert claim.verdict == OPEN
