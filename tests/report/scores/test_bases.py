"""Tables whose rows train several base models: each row beside the baseline of its own."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.params.params import Params
from harness.report.scores.write import write_scores
from harness.suites import SUITES
from tests.helpers.build_runs import build_runs
from tests.helpers.small_repo import further, selection
from tests.helpers.toy_suite import write_toy_suite

BASES = ("wide", "gpt2")


def of(base: str, name: str) -> dict[str, Any]:
    return {**further("transfer", name, "s0_1_2"), "base": base}


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SUITES, "toy", write_toy_suite(tmp_path / "suite"))
    names = ("none", "random", "k_center", "km_random")
    return build_runs(
        tmp_path,
        preset="lab",
        seed_groups=["s0_1_2"],
        selections={name: selection(name) for name in names[1:]},
        selections_scored={},
        selections_rounds={},
        base_models={base: {"source": "scratch"} for base in BASES},
        references={"none": {"rows": "none", "seeds": [0]}},
        table=["none", "random"],
        further={f"{base}_{name}": of(base, name) for base in BASES for name in names},
        studies={"transfer": {"report": "scores"}},
        report={"baselines": ["random", "k_center"]},
        evaluate={"suite": "toy"},
    )


def test_each_row_is_compared_with_the_baseline_of_its_base_model(params: Params) -> None:
    folder = write_scores(params, "transfer")
    table = pd.read_csv(folder / "table.csv").set_index("selection")
    assert table["base"].tolist() == [base for base in BASES for _ in range(4)]
    for base in BASES:
        for name in ("none", "k_center", "km_random"):
            row = table.loc[f"{name}_{base}"]
            assert row["diff"] == pytest.approx(
                row["avg"] - table.loc[f"random_{base}", "avg"], abs=1e-3
            )
        assert np.isnan(table.loc[f"random_{base}", "diff"])
        row = table.loc[f"random_{base}"]
        assert row["diff_k_center"] == pytest.approx(
            row["avg"] - table.loc[f"k_center_{base}", "avg"], abs=1e-3
        )
        # The pair of both baselines is tested once: the second family repeats its p.
        assert float(row["p_k_center"]) == float(table.at[f"k_center_{base}", "p"])
    assert sum(p == p for p in table["p"].tolist()) == 4
    assert "**" not in (folder / "table.md").read_text(), "models of two bases do not compete"


def test_one_family_over_all_base_models(params: Params) -> None:
    """Holm's correction is of four tests, two a base model."""
    folder = write_scores(params, "transfer")
    page = " ".join((folder / "table.md").read_text().split())
    assert "Holm's method corrects p for the 4 selections tested against random" in page
    assert "2 selections tested against k_center" in page
    assert "Not tested (another budget or base model): none_gpt2." in page, "others have a p"
    assert "the same models" not in page, "two base models are two"
