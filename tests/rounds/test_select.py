"""Selections in rounds as a stage runs them: what is refused before a model is trained."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import read_json
from harness.common.schemas import POOL, SCORES, SUBSET, TRUTH, read_frame, write_frame
from harness.common.timings import write_timed
from harness.common.yaml_files import read_yaml
from harness.describing import describe_cell, read_described
from harness.params.params import load_params
from pipeline.select_rounds import run
from tests.helpers.round_selections import KMQ, STATIC, select
from tests.helpers.small_repo import ROOT, edit_params


def test_every_group_has_its_folder(tree: Path) -> None:
    """A cell whose group has no seed of the selection depends on a folder that is empty."""
    some = {**STATIC, "seeds": [0], "more_groups": ["s3"]}
    select(tree, selections_rounds={"sel": some}, seed_groups=["s0", "s1", "s2"])
    folder = layout.subset_folder("sel")
    assert sorted(path.name for path in folder.iterdir()) == ["s0", "s1", "s2", "s3"]
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")] == [
        "s0/seed_0.parquet"
    ]
    assert len(read_frame(folder / "s0" / "seed_0.parquet", SUBSET)) == 9
    assert list(read_json(layout.selection_folder("sel") / "costs.json")["seeds"]) == ["0"]


def test_a_group_without_a_seed_is_described_all_the_same(tree: Path) -> None:
    table = {"selections_rounds": {"sel": {**STATIC, "seeds": [0]}}}
    select(tree, None, **table, seed_groups=["s0", "s1"])
    params = load_params()
    ids = read_frame(layout.POOL_FILE, POOL)["id"]
    planted = {"skill": "a", "family": "f", "noise": "none", "duplicate_of": ""}
    write_frame(layout.TRUTH_FILE, pd.DataFrame({"id": ids}).assign(**planted).astype("str"), TRUTH)
    scores = pd.DataFrame({"id": ids}).assign(**dict.fromkeys(params.scorers, 1.0))
    write_frame(layout.SCORES_FILE, scores, SCORES)
    write_timed(layout.SCORE_COSTS_FILE, {key: {"seconds": 0.0} for key in params.scorers})
    nothing = {"seconds": 0.0, "flops": 0.0}
    shared = {
        name: dict.fromkeys(map(str, params.cluster.k), nothing) for name in params.embeddings
    }
    costs = {"embeddings": dict.fromkeys(params.embeddings, nothing), "clusters": shared}
    costs |= {"scores": dict.fromkeys(params.scorers, nothing), "reward_models": {}}
    write_timed(layout.SHARED_COSTS_FILE, costs)
    np.save(layout.costs_file("tokens"), np.ones(30, dtype=np.int64))
    for group, sizes in (("s0", [9]), ("s1", [])):
        cell = params.main_cell("sel", group)
        describe_cell(params, cell)
        assert [len(one.picks) for one in read_described(cell).seeds.values()] == sizes


REFUSED = [
    (
        {**KMQ, "direction": "chalenging"},
        "sel.direction: input should be 'challenging' or",
    ),
    ({**KMQ, "score_transform": "exps"}, "sel.score_transform: input should be 'exp' or"),
    ({**KMQ, "weights": "cumulativ"}, "sel.weights: input should be 'cumulative' or 'fresh'"),
    ({**KMQ, "feedback_on": "new"}, "sel.feedback_on: input should be 'all' or 'newest'"),
    ({**KMQ, "first_round": "unifrom"}, "sel.first_round: input should be 'kmq' or 'uniform'"),
    ({**KMQ, "scorer": "reward"}, "sel.scorer: input should be 'perplexity', 'reward_model' or"),
    ({**KMQ, "temperature": 0}, "sel.temperature: input should be greater than 0, not 0"),
    ({**KMQ, "feedback_epochs": 0}, "sel.feedback_epochs: input should be greater than or equal"),
    ({**KMQ, "roundz": 3}, "kmq_iterative takes no such param; did you mean 'rounds'?"),
    ({**STATIC, "space": "statc"}, "sel.space: input should be 'current' or 'static', not 'statc'"),
    ({**STATIC, "criterion": "entropy"}, "sel.space: criterion entropy reads the model's prob"),
    ({**STATIC, "warm_start": True}, "sel.warm_start: space static trains nothing: True would do"),
    ({**STATIC, "feedback_epochs": 2}, "sel.feedback_epochs: space static trains nothing: 2 would"),
    ({**KMQ, "model": "x"}, "sel.model: scorer perplexity reads no reward model: 'x' would do"),
    ({**KMQ, "revision": "x", "scorer": "judge"}, "sel.revision: scorer judge reads no reward mod"),
    ({**STATIC, "whiten": 9}, "sel.whiten: 9 dimensions of 30 instances in a space of 8; the most"),
    (
        {**STATIC, "space": "current", "whiten": 5000},
        "sel.whiten: 5000 dimensions of 30 instances in a space of 32; the most is 29",
    ),
    ({**KMQ}, "sel, seed 0: round 1 (takes 3 of the budget, 9): this sampler needs quality"),
]


@pytest.mark.parametrize(("item", "message"), REFUSED)
def test_what_cannot_be_is_refused_before_a_model_is_trained(
    tree: Path, item: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as error:
        select(tree, selections_rounds={"sel": item})
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(tree.glob(".store/scratch/rounds/*/*_train_*"))
    assert not layout.subset_folder("sel").exists()


def test_a_minimum_that_the_first_round_cannot_give(tree: Path) -> None:
    item = {**KMQ, "min_per_cluster": 4}
    message = (
        r"round 1 \(takes 3 of the budget, 9\): min_per_cluster is 4: 6 clusters need \d+ inst"
    )
    with pytest.raises(InputError, match=message):
        select(tree, np.ones(30), selections_rounds={"sel": item})


def test_a_budget_in_tokens_is_refused(tree: Path) -> None:
    with pytest.raises(InputError, match="budget_unit is tokens, but selections"):
        select(tree, selections_rounds={"sel": STATIC}, budget_unit="tokens")


def test_the_stage_depends_on_the_unit_of_the_budget() -> None:
    stage = read_yaml(ROOT / "dvc.yaml")["stages"]["select_rounds"]
    assert {"selections_rounds.${key}", "budget_unit"} <= set(stage["do"]["params"])


def test_a_judge_that_cannot_be_asked_is_reported_first(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {
        "selections_rounds": {"sel": {**KMQ, "scorer": "judge"}},
        "judge": {"key_env": "NO_SUCH_KEY"},
    }
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(InputError, match="the environment variable NO_SUCH_KEY is not set"):
        select(tree, **changes)
    monkeypatch.setenv("NO_SUCH_KEY", "word")
    monkeypatch.setitem(sys.modules, "openai", None)  # as where it is not installed
    with pytest.raises(InputError, match="the openai package is not installed"):
        select(tree, **changes)
    assert not list(tree.glob(".store/scratch/rounds/*/*_train_*"))


def test_a_selection_that_is_not_there_names_the_nearest(tree: Path) -> None:
    edit_params(tree, selections_rounds={"diverse_evol": STATIC})
    message = "selections_rounds: no selection is called 'nix'; choices: diverse_evol"
    with pytest.raises(InputError, match=message):
        run("nix")
