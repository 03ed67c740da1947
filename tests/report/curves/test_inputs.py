"""What studies of curves refuse, and what is removed once params do not name it."""

from pathlib import Path

import pytest

from harness.common import layout
from harness.common.errors import InputError
from harness.params.params import Params, load_params
from harness.params.pruning import prune
from harness.report.curves.inputs import curve_of
from harness.report.curves.write import write_curves
from pipeline.report import run
from tests.helpers.by_round_tree import (
    BY_SIZE,
    LISTED,
    SELECTIONS,
    build_in,
    changed,
    copy_of,
    describe,
    listing,
)
from tests.helpers.presets import preset_file


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_in(tmp_path_factory.mktemp("by_round"))


@pytest.fixture
def tree(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    return copy_of(built, tmp_path, monkeypatch)


KMQ, LOOP = "scorers_kmq_8_s2", "scorers_by_reward_3_s0_1"
MISSING = {
    f"runs/scorers/{KMQ}/metrics.json": f"dvc repro evaluate_further@{KMQ}",
    f"data/described/scorers/{KMQ}/facts.json": f"dvc repro describe_further@{KMQ}",
    f"data/described/scorers/{KMQ}/seed_2.npy": f".*describe_further@{KMQ}",
    **{
        f"data/described/scorers/{LOOP}/seed_1/{name}": f"dvc repro describe_further@{LOOP}"
        for name in ("rounds.json", "clusters.parquet", "instances.parquet")
    },
}
NOT_DESCRIBED = {
    "data/subsets/kmq/s2/seed_2.parquet": "dvc repro select_scored@kmq",
    "data/selections/kmq/costs.json": "dvc repro select_scored@kmq",
    **{
        f"data/selections/by_reward/{name}": "dvc repro select_rounds@by_reward"
        for name in (
            *("costs.json", "labels.npy"),
            *("s0_1/seed_1/rounds.json", "s0_1/seed_1/clusters.parquet"),
            "s0_1/seed_1/instances.parquet",
        )
    },
    "data/scores.parquet": "dvc repro score",
    "data/truth.parquet": "dvc repro prepare",
}


@pytest.mark.parametrize("path", MISSING)
def test_what_is_missing_is_named_with_its_stage_and_nothing_is_written(
    tree: Params, path: str
) -> None:
    Path(path).unlink()
    with pytest.raises(InputError, match=f"{path}: no such file; (run )?{MISSING[path]}"):
        write_curves(tree, "scorers")
    assert not layout.RESULTS.exists()


@pytest.mark.parametrize("path", NOT_DESCRIBED)
def test_what_a_description_lacks_is_named_with_its_stage(tree: Params, path: str) -> None:
    Path(path).unlink()
    before = described_files()
    with pytest.raises(InputError, match=rf"^{Path(path).parent}.*{NOT_DESCRIBED[path]}$"):
        describe(tree, "scorers")
    assert described_files() == before
    write_curves(tree, "scorers")  # what is described is whole


def described_files() -> dict[Path, bytes]:
    """What is described, by path."""
    return {path: path.read_bytes() for path in layout.DESCRIBED.rglob("*") if path.is_file()}


def test_studies_that_cannot_be_reported_are_refused(tree: Params) -> None:
    with pytest.raises(InputError, match="no report is called 'scorer'; did you mean 'scorers'"):
        run("scorer")
    for study, other in (("scorers", "rounds"), ("rounds", "scorers")):
        params = changed(further=listing({other: LISTED[other]}))
        with pytest.raises(InputError, match=f"no entry of `further` has study: {study}; add"):
            write_curves(params, study)
    with pytest.raises(InputError, match="'rounds_random_5_s2'; did you mean 'rounds_random_"):
        tree.further_cell("rounds_random_5_s2")
    assert not layout.RESULTS.exists()


def test_a_study_needs_no_loop_that_weighs(tree: Params) -> None:
    names = {"rounds": ["random_4", "evolved_1"]}
    text = (write_curves(changed(further=listing(names)), "rounds") / "table.md").read_text()
    assert "| evolved " in text
    assert "Weights of the clusters" not in text
    assert tree.studies["rounds"].title in text


def test_what_params_no_longer_name_is_pruned(tree: Params) -> None:
    kept = {name: SELECTIONS["selections_rounds"][name] for name in ("by_reward", "evolved")}
    rows = [*(name for name in BY_SIZE if name != "kmq_4"), "by_reward_1"]
    for study in ("scorers", "rounds"):
        write_curves(tree, study)
    before = {cell.path for cell in tree.every_cell() if cell.key}
    params = changed(selections_rounds=kept, further=listing({"scorers": rows}))
    params = params.model_copy(update={"studies": {"scorers": params.studies["scorers"]}})
    named = {cell.path for cell in params.every_cell() if cell.key}
    assert len(named) == 2 * len(rows)
    removed = prune(params)
    assert {path.name for path in removed} > {
        *("by_perplexity", "rounds"),
        *("scorers_kmq_4_s0_1", "scorers_kmq_4_s2", "scorers_by_reward_2_s2"),
    }
    for folder in (layout.RUNS, layout.DESCRIBED):
        assert {path for path in before if (folder / path).exists()} == named
    for folder in (layout.SUBSETS, layout.SELECTIONS):
        left = {path.name for path in folder.iterdir()}
        assert left == {"random", "kmq", *kept, "none", "full"}
    assert {path.name for path in (layout.RESULTS / "lab").iterdir()} == {"scorers", "page"}
    assert prune(params) == []


@pytest.mark.parametrize(
    ("name", "curve"),
    [
        ("kmq_1200", "kmq"),
        ("kmq", "kmq"),
        ("random_2400", "random"),
        ("qdit_300", "qdit"),
        ("kmq_64", "kmq_64"),
        ("kmq_iterative_rm_300", "kmq_iterative_rm"),
        ("kmq_iterative_weak", "kmq_iterative_weak"),
        ("kmq_lexical", "kmq_lexical"),
        ("full", "full"),
    ],
)
def test_selections_that_differ_by_their_budget_alone_are_one_curve(name: str, curve: str) -> None:
    assert curve_of(load_params(preset_file("lab")), name) == curve
