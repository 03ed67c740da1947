"""What the reports of the studies by round refuse, and what they remove."""

from pathlib import Path

import pytest

from harness import layout
from harness.errors import InputError
from harness.params import Params
from harness.round_report import prune_rounds, write_round_report
from tests.by_round_tree import (
    BY_ROUND,
    BY_SIZE,
    SELECTIONS,
    build_in,
    changed,
    copy_of,
    listing,
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_in(tmp_path_factory.mktemp("by_round"))


@pytest.fixture
def tree(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    return copy_of(built, tmp_path, monkeypatch)


MISSING = {
    "runs/scorers/kmq_8/s2/metrics.json": "dvc repro evaluate_scorers@kmq_8-s2",
    "data/subsets/cuts/kmq_8/s2/seed_2.parquet": "dvc repro cut@kmq_8",
    **{
        f"data/rounds/main/by_reward/s0_1/seed_1/{name}": "dvc repro select_rounds@by_reward"
        for name in ("rounds.json", "clusters.parquet", "instances.parquet")
    },
    "data/truth.parquet": "dvc repro prepare",
}


@pytest.mark.parametrize("path", MISSING)
def test_what_is_missing_is_named_with_its_stage_and_nothing_is_written(
    tree: Params, path: str
) -> None:
    Path(path).unlink()
    with pytest.raises(InputError, match=f"{path}: no such file; (run )?{MISSING[path]}"):
        write_round_report(tree, "scorers")
    assert not layout.RESULTS.exists()


def test_studies_that_cannot_be_reported_are_refused(tree: Params) -> None:
    with pytest.raises(InputError, match="study is 'main'; those by round are scorers and rounds"):
        write_round_report(tree, "main")
    for study in ("scorers", "rounds"):
        params = changed(studies=listing(study, ["random_4", "random_8"]))
        with pytest.raises(InputError, match=f"studies.{study}.selections: no cut .* reports"):
            write_round_report(params, study)
    params = changed(studies=listing("rounds", ["random_4", "random_5"]))
    with pytest.raises(InputError, match="'random_5' is none of `cuts`; did you mean 'random_"):
        write_round_report(params, "rounds")
    params = changed(studies=listing("scorers", ["random_4", "evolved_r1"]))
    with pytest.raises(InputError, match="sampler kmq_iterative in two rounds or more"):
        write_round_report(params, "scorers")


def test_what_params_no_longer_name_is_pruned(tree: Params) -> None:
    kept = {name: SELECTIONS["selections_rounds"][name] for name in ("by_reward", "evolved")}
    cuts = {name: cut for name, cut in BY_SIZE.items() if name != "kmq_4"}
    params = changed(selections_rounds=kept, cuts={**cuts, "evolved_r1": BY_ROUND["evolved_r1"]})
    removed = {path.name for path in prune_rounds(params)}
    assert removed == {"kmq_4", "by_perplexity", *BY_ROUND} - {"evolved_r1"}
    assert {path.name for path in layout.rounds_folder("main", "").iterdir()} == set(kept)
    assert prune_rounds(params) == []
