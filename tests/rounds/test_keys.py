"""What a selection in rounds is kept under: all that decides it, and nothing else."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.clustering.files import Clustering
from harness.common import layout
from harness.common.stores import seal
from harness.common.yaml_files import read_yaml
from harness.params.params import Params
from harness.rounds.select import _key
from harness.selecting.subsets import SamplerInputs
from tests.helpers.classifiers import save_classifier
from tests.helpers.presets import preset_file
from tests.helpers.scored_rows import POOL, with_columns

CONF = preset_file("lab")
N = len(POOL)


@pytest.fixture
def place(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a base model and a reward model, to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    shutil.copytree(tiny_model, layout.BASE_MODEL)
    save_classifier(tiny_model, layout.REWARD_MODEL)
    seal(layout.REWARD_MODEL)
    return tmp_path


def params_with(**changes: Any) -> Params:  # noqa: ANN401
    """The lab's, a judge's selection added, with some keys (``a__b``) replaced."""
    values = read_yaml(CONF)
    assert isinstance(values, dict)
    rounds = values["selections_rounds"]
    rounds["judged"] = {**rounds["kmq_iterative_ppl"], "scorer": "judge"}
    for where, value in changes.items():
        *folders, last = where.split("__")
        node = values
        for folder in folders:
            node = node[folder]
        node[last] = value
    return Params.model_validate(values)


def inputs() -> SamplerInputs:
    x = np.eye(N, 3, dtype=np.float32)
    labels = np.arange(N) % 2
    clusters = Clustering(labels, x[:2], inertia=1.0, silhouette=None, iterations=1)
    return SamplerInputs(POOL, x, clusters, np.ones(N, dtype=np.int64), np.arange(N) / N)


def key(name: str = "judged", given: SamplerInputs | None = None, **changes: Any) -> str:  # noqa: ANN401
    """The key of a selection's seed; params aside, `budget`, `code` and `seed` may change."""
    run = {name: changes.pop(name, of) for name, of in (("budget", 4), ("code", "c"), ("seed", 0))}
    return _key(params_with(**changes), name, given or inputs(), **run)


@pytest.mark.parametrize(
    "changes",
    [
        {"train__learning_rate": 0.5},
        {"train__epochs": 17},
        {"rounds__max_length": 99},
        {"rounds__batch_size": 3},
        {"judge__model": "other"},
        {"judge__scale": 5},
        {"judge__temperature": 0.5},
        {"judge__max_tokens": 7},
        {"judge__base_url": "http://localhost:1/v1"},
        {"selections_rounds__judged__temperature": 0.5},
        {"selections_rounds__judged__rounds": 2},
        {"template": "alpaca"},
        {"budget": 3},
        {"seed": 1},
        {"code": "d"},
    ],
    ids=str,
)
def test_what_decides_a_selection_changes_its_key(place: Path, changes: dict[str, Any]) -> None:
    assert key() == key()
    assert key(**changes) != key()


@pytest.mark.parametrize(
    "changes",
    [
        {"rounds__executor": "subprocess"},
        {"rounds__executor": "subprocess", "rounds__processes": 2},
        {"train__keep_models": "none"},
        {"judge__spend_cap": 5, "judge__price_in": 1, "judge__price_out": 1},
        {"judge__timeout_s": 5, "judge__retries": 1, "judge__concurrency": 2},
        {"judge__key_env": "OTHER_KEY"},
    ],
    ids=str,
)
def test_how_phases_are_run_and_paid_does_not(place: Path, changes: dict[str, Any]) -> None:
    assert key(**changes) == key()


CHANGES: dict[str, Callable[[SamplerInputs], SamplerInputs]] = {
    "pool": lambda one: dataclasses.replace(one, pool=with_columns(POOL, messages=json.dumps([]))),
    "ids": lambda one: dataclasses.replace(one, pool=with_columns(POOL, id=list("vwxyz"))),
    "embeddings": lambda one: dataclasses.replace(one, embeddings=one.embeddings * 2),
    "labels": lambda one: dataclasses.replace(
        one, clustering=dataclasses.replace(one.clustering, labels=1 - one.clustering.labels)
    ),
    "quality": lambda one: dataclasses.replace(one, quality=np.ones(N)),
    "no quality": lambda one: dataclasses.replace(one, quality=None),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_it_looks_at_changes_it(place: Path, what: str) -> None:
    assert key(given=CHANGES[what](inputs())) != key()


def test_models_change_it_where_they_are_read(place: Path) -> None:
    before = {name: key(name) for name in ("judged", "kmq_iterative_rm", "diverse_evol")}
    config = layout.REWARD_MODEL / "config.json"
    config.write_text(config.read_text() + "\n")
    seal(layout.REWARD_MODEL)
    after = {name: key(name) for name in before}
    assert [name for name in before if before[name] != after[name]] == ["kmq_iterative_rm"]
    weights = layout.BASE_MODEL / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    seal(layout.BASE_MODEL)
    assert all(key(name) != after[name] for name in after)


def test_the_judge_of_the_environment_changes_it(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    default, unjudged = key(), key("diverse_evol")
    assert key("diverse_evol", judge__model="other") == unjudged
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1")
    one = key()
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:2/v1")
    two = key()
    assert len({default, one, two}) == 3
    assert key(judge__base_url="http://localhost:1/v1") == one
    assert key("diverse_evol") == unjudged
    # What may be secret in it does not decide who answers.
    monkeypatch.setenv("OPENAI_BASE_URL", "http://me:hush@localhost:2/v1?key=hush")
    assert key() == two
