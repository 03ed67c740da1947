"""Altered models, evaluations and subsets are reported in one line when they are read."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import read_json
from harness.common.schemas import PREFERENCES, SUBSET, read_frame, read_pool, write_frame
from harness.common.stores import seal
from harness.evaluation.cell import evaluate_cell
from harness.params.params import Params, ScorerParams
from harness.reward_model.make import make_reward_model
from harness.scorers.score_pool import make_scores
from harness.selecting.costs import token_costs
from harness.suites import load_suite
from harness.training.cell import train_cell
from harness.training.weights import base_hash, weights_folder
from tests.helpers.cells import attempts, write_heldout
from tests.helpers.damage import HARMS, Harm, flipped, gone
from tests.helpers.preference_pairs import PARAMS, pairs_of
from tests.helpers.small_repo import further

SUBSETS = layout.subset_folder("random") / "s0"
CELL = layout.RUNS / "main/random/s0"
MODEL = [
    *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "config.json"),
    *("generation_config.json", "model.safetensors"),
]


def train(params: Params) -> None:
    train_cell(params, params.main_cell("random", "s0"), "code")


@pytest.fixture
def base(repo: Params, tiny_model: Path) -> Path:
    """The base model as a folder of its own, to be altered."""
    layout.BASE_MODEL.unlink()
    layout.BASE_MODEL.mkdir()
    for path in tiny_model.iterdir():
        (layout.BASE_MODEL / path.name).write_bytes(path.read_bytes())
    return layout.BASE_MODEL


def test_an_altered_model_in_the_store(repo: Params, caplog: pytest.LogCaptureFixture) -> None:
    train(repo)
    manifest = read_json(CELL / "train/seed_0.json")
    folder = weights_folder(manifest, "main", "train@random-s0")
    for name in [*MODEL, "manifest.json"]:
        path, data = folder / name, (folder / name).read_bytes()
        flipped(path)
        with pytest.raises(InputError) as error:
            weights_folder(manifest, "main", "train@random-s0")
        message = f"{path}: not what was written there"
        assert str(error.value) == f"{message}; train it again: dvc repro -f -s train@random-s0"
        path.write_bytes(data)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    flipped(folder / "tokenizer.json")
    caplog.clear()
    train(repo)
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING] == [
        f"{folder / 'tokenizer.json'}: not what was written there; it is made again"
    ]
    again = read_json(CELL / "train/seed_0.json")
    assert again["model_hash"] == manifest["model_hash"]
    weights_folder(again, "main", "train@random-s0")
    assert all((folder / name).read_bytes() == whole[name] for name in MODEL)


def test_another_model_under_the_same_name(repo: Params) -> None:
    """A complete model, but not the manifest's."""
    train(repo)
    manifest = read_json(CELL / "train/seed_0.json")
    folder = weights_folder(manifest, "main", "train@random-s0")
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    seal(folder)
    message = "another model than the manifest's; train it again: dvc repro -f -s train@random-s0"
    with pytest.raises(InputError, match=message):
        weights_folder(manifest, "main", "train@random-s0")


def readers(params: Params) -> dict[str, Callable[[], object]]:
    """Who reads the base model."""
    perplexity = ScorerParams.model_validate({"scorer": "perplexity"})
    pairs = Path("pairs.parquet")
    write_frame(pairs, pairs_of(4), PREFERENCES)
    pool = read_pool()
    untrained = {"weights": "base", "base_hash": base_hash()}
    return {
        "train": lambda: train(params),
        "evaluate": lambda: weights_folder(untrained, "main", "train@none-s0"),
        "score": lambda: make_scores(pool, {"p": perplexity}),
        "cost": lambda: token_costs(pool),
        "reward": lambda: make_reward_model(PARAMS, layout.BASE_MODEL, pairs, Path("reward")),
    }


@pytest.mark.parametrize("harm", HARMS)
def test_an_altered_base_model_is_named_by_every_stage(
    repo: Params, base: Path, harm: Harm
) -> None:
    reading = readers(repo)
    for name in MODEL:
        data = (base / name).read_bytes()
        times = (base / name).stat()
        harm(base / name)
        if harm is flipped:
            os.utime(base / name, ns=(times.st_atime_ns, times.st_mtime_ns))
        how = "no such file" if harm is gone else "not what was written there"
        for read in reading.values():
            with pytest.raises(InputError) as error:
                read()
            assert str(error.value) == f"{base / name}: {how}; dvc repro base_model"
        if harm is flipped:  # DVC would take it for unchanged
            assert (base / name).stat().st_mtime_ns != times.st_mtime_ns
        if (base / name).is_dir():
            (base / name).rmdir()
        (base / name).write_bytes(data)
    (base / "special_tokens_map.json").write_text('{"eos_token": "<pad>"}')
    with pytest.raises(InputError, match=r"special_tokens_map\.json: not what was written there"):
        train(repo)
    assert attempts() == []


def test_what_is_noted_beside_a_model_is_not_in_its_hash(repo: Params, base: Path) -> None:
    before = base_hash()
    (base / "base_model.json").write_text('{"steps": 2}')
    seal(base)
    assert base_hash() == before
    (base / "generation_config.json").write_text("{}")
    seal(base)
    assert base_hash() != before
    with pytest.raises(InputError, match="another model than trained; dvc repro train@none-s0"):
        weights_folder({"weights": "base", "base_hash": before}, "main", "train@none-s0")


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("name", ["metrics.json", "samples.parquet", "files.json"])
def test_a_damaged_evaluation_is_made_again(
    repo: Params,
    name: str,
    harm: Harm,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cell = repo.main_cell("none", "s0")
    train_cell(repo, cell, "code")
    write_heldout()
    layout.BENCHMARKS.mkdir()
    suite = load_suite("own")
    monkeypatch.setattr("harness.suites.load_suite", lambda name: suite)

    def evaluate() -> tuple[object, bytes]:
        evaluate_cell(repo, cell, "code")
        folder = layout.RUNS / cell.path
        seed = read_json(folder / "metrics.json")["seeds"]["0"]
        return {**seed, "seconds": None}, (folder / "samples.parquet").read_bytes()

    whole = evaluate()
    (path,) = Path.cwd().glob(f".store/scratch/evaluate/*/result/{name}")
    caplog.clear()
    harm(path)
    assert evaluate() == whole
    how = "no such file" if harm is gone else "not what was written there"
    messages = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert messages == [f"{path}: {how}; it is made again"]
    assert path.is_file()
    assert evaluate() == whole


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_subset_names_its_stage(repo: Params, harm: Harm) -> None:
    more = {"random_1": further("sizes", "random", "s0", rows=1)}
    params = Params.model_validate({**repo.model_dump(), "further": more})
    beginning = params.further_cell("random_1")
    path = SUBSETS / "seed_0.parquet"
    before = read_frame(path, SUBSET)
    harm(path)
    how = "no such file" if harm is gone else "not what was written there"
    for read in (lambda: train(params), lambda: train_cell(params, beginning, "code")):
        with pytest.raises(InputError) as error:
            read()
        assert str(error.value) == f"{path}: {how}; dvc repro select@random"
    assert attempts() == []
    assert len(before)
