"""A run's scratch folder that was broken, thinned out or moved: what is not whole is done again."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.common import stores
from harness.common.files import folder_hash
from harness.round_systems.diverse_evol import DiverseEvol
from harness.round_systems.loop import Round
from harness.samplers import Pool
from tests.helpers.damage import HARMS, Harm, emptied
from tests.helpers.round_journal import READ, journal
from tests.helpers.round_selections import STATIC, select

ROWS = np.array([3, 0, 2])
ASKED = {"max_new_tokens": 5, "temperature": 0.0, "scorer": "perplexity"}
CUT = [
    *("1_train_*/manifest.json", "1_train_*/model/model.safetensors", "1_train_*/cost.json"),
    *("1_generate_*/answers.parquet", "1_generate_*/files.json", "1_score_*/scores.npy"),
    *("1_embed_*/embeddings.npy", "1_embed_*/rows.parquet", "1_embed_*/files.json"),
]


def asked(folder: Path) -> dict[str, Any]:
    """What a round of all phases shows."""
    kept = journal(folder)
    ask = kept.ask(1)
    ask.train(ROWS, 1, False)
    result: dict[str, Any] = ask.observe("answer", ROWS, **ASKED) | ask.observe("embed", ROWS)
    answers = kept.answers(1)
    assert answers is not None
    return {**result, "answers": answers.to_numpy()}


def same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name])


@pytest.mark.parametrize("harm", HARMS)
def test_a_phase_with_a_broken_file_is_done_again(base: Path, tmp_path: Path, harm: Harm) -> None:
    expected = asked(tmp_path)
    for pattern in CUT:
        (path,) = tmp_path.glob(pattern)
        harm(path)
        same(asked(tmp_path), expected)
        assert path.stat().st_size
        assert all(stores.kept(path.parent) for path in tmp_path.glob("*/files.json"))


def test_a_moved_run_resumes(base: Path, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    expected = asked(old)
    shutil.move(old, new)
    stamps = {path: path.stat().st_mtime_ns for path in new.glob("*/*")}
    same(asked(new), expected)
    assert {path: path.stat().st_mtime_ns for path in new.glob("*/*")} == stamps
    # A warm start names the round before, wherever that lies.
    shutil.copytree(new, tmp_path / "copy")
    for folder in (new, tmp_path / "copy"):
        kept = journal(folder)
        kept.ask(1).train(ROWS, 1, False)
        kept.ask(2).train(ROWS[:2], 1, True)
    first, second = (list(folder.glob("2_train_*")) for folder in (new, tmp_path / "copy"))
    assert [path.name for path in first] == [path.name for path in second]


def test_a_model_that_is_needed_again_is_trained_again(base: Path, tmp_path: Path) -> None:
    expected = asked(tmp_path)
    kept = journal(tmp_path)
    kept.ask(1).train(ROWS, 1, False)
    (model,) = tmp_path.glob("1_train_*/model")
    weights = folder_hash(model)
    kept.ended(Round(2, ROWS))
    assert not model.exists()
    same(asked(tmp_path), expected)
    assert not model.exists(), "nothing needs it"
    for phase in ("generate", "embed"):
        (folder,) = tmp_path.glob(f"1_{phase}_*")
        shutil.rmtree(folder)
    same(asked(tmp_path), expected)
    assert folder_hash(model) == weights
    shutil.rmtree(model)  # a warm start reads it too
    kept = journal(tmp_path)
    kept.ask(1).train(ROWS, 1, False)
    kept.ask(2).train(ROWS[:2], 1, True)
    assert folder_hash(model) == weights


def test_what_is_asked_of_other_instances_is_asked_anew(base: Path, tmp_path: Path) -> None:
    kept = journal(tmp_path)
    one = kept.phase(1, "embed", np.array([0, 1]), {**READ, "model": str(base)})
    two = kept.phase(1, "embed", np.array([0, 2]), {**READ, "model": str(base)})
    assert one != two
    assert not one.exists()
    assert np.load(two / "embeddings.npy").shape[0] == 2


def test_a_stale_embedding_is_not_the_pools() -> None:
    x = np.eye(4, dtype=np.float32)
    system = DiverseEvol(rounds=1)
    with pytest.raises(KeyError):
        system.update(Pool(x, selected=np.array([0])), np.array([0]), {})


@pytest.mark.parametrize("name", ["subset.parquet", "rounds.json", "cost.json", "files.json"])
def test_a_finished_seed_that_is_broken_is_selected_again(tree: Path, name: str) -> None:
    item = {**STATIC, "seeds": [0]}
    select(tree, selections_rounds={"sel": item})
    published = [tree / "data/subsets/sel", tree / "data/selections/sel"]
    expected = folder_hash(published[0])
    (path,) = tree.glob(f".store/scratch/rounds/*/result/{name}")
    emptied(path)
    select(tree, selections_rounds={"sel": item})
    assert folder_hash(published[0]) == expected
    assert path.stat().st_size
    assert not list(published[1].rglob("files.json"))
