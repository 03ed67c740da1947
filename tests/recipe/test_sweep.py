"""The sweep of recipes: on validation rows alone, by random subsets, going on after a kill."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.common import layout
from harness.common.errors import InputError
from harness.common.schemas import HELDOUT, POOL, write_frame
from harness.params.params import Params, load_params
from harness.recipe.sweep import FIRST_SEED, Point, Recipe, best, sweep
from scripts.choose_recipe import page, verdict
from tests.helpers.presets import preset_file

SMALL = {"batch_size": 4, "max_length": 96, "keep_models": "none", "threads": 1}


def rows(count: int, word: str) -> pd.DataFrame:
    asked = [f"Name the capital of land {i}." for i in range(count)]
    answers = [f"The capital is {word} {i}." for i in range(count)]
    turns = [
        json.dumps([{"role": "user", "content": q}, {"role": "assistant", "content": a}])
        for q, a in zip(asked, answers, strict=True)
    ]
    names = [f"{word}{i}" for i in range(count)]
    columns = {"id": names, "row": range(1, count + 1), "prompt": asked, "response": answers}
    return pd.DataFrame({**columns, "messages": turns})


@pytest.fixture
def params(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """A repository with a base model, a pool and held-out rows, and its params."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    shutil.copytree(tiny_model, layout.BASE_MODEL)
    write_frame(layout.POOL_FILE, rows(40, "town"), POOL)
    write_heldout("validation_town", "town")
    made = load_params(preset_file("smollm2"))
    train = made.train.model_copy(update=SMALL)
    budget = made.defaults.model_copy(update={"budget": 12})
    update: dict[str, Any] = {"train": train, "defaults": budget}
    update["selections"] = {
        name: one.model_copy(update={"budget": 12}) for name, one in made.selections.items()
    }
    return made.model_copy(update=update)


def write_heldout(validation: str, word: str) -> None:
    parts = [rows(6, word).assign(source=validation), rows(3, "other").assign(source="other")]
    frame = pd.concat(parts, ignore_index=True).assign(row=range(1, 10))
    write_frame(layout.HELDOUT_FILE, frame, HELDOUT)


def test_recipes_are_judged_on_validation_rows_and_kept(
    params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes = [Recipe(1e-2, 2), Recipe(1e-6, 1)]
    points = sweep(params, recipes, 1, "code")
    assert [point.recipe for point in points] == [None, *recipes]
    assert list(points[0].parts) == ["validation_town"]
    assert points[0].parts["validation_town"] == points[0].whole  # the other rows are not read
    assert best(points).recipe == recipes[0]
    assert points[1].mean < points[0].mean - 0.1  # it learns what towns are called
    assert points[2].mean == pytest.approx(points[0].mean, abs=0.01)

    def trains(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("harness.training.sft.train", trains)
    assert sweep(params, recipes, 1, "code") == points
    with pytest.raises(AssertionError):  # another seed was not run yet
        sweep(params, recipes, 2, "code")
    assert not list(Path(".store").rglob("*.safetensors"))  # half a GB each, of SmolLM2
    text = page(points, "some", "12 rows", "tiny", "--rates 1e-2")
    assert "| 0.01 | 2 | **" in text
    assert "validation_" not in text
    assert "Best: `train: {learning_rate: 0.01, epochs: 2}`" in text


def test_no_table_has_a_seed_of_the_sweep(params: Params) -> None:
    every = [seed for cell in params.every_cell() for seed in cell.seeds]
    assert max(every) < FIRST_SEED


def test_without_validation_rows_it_stops(params: Params) -> None:
    write_heldout("town", "town")
    with pytest.raises(InputError, match=r"prepare.heldout: no part .* begins with validation_"):
        sweep(params, [Recipe(1e-3, 1)], 1, "code")


def test_what_training_would_refuse_is_refused_before_anything_is_judged(params: Params) -> None:
    for recipe, rule in (
        (Recipe(-1.0, 1), "train.learning_rate: .* greater than 0, not -1.0"),
        (Recipe(1e-3, 0), "train.epochs: .* not 0"),
    ):
        with pytest.raises(InputError, match=rule):
            sweep(params, [Recipe(1e-3, 1), recipe], 1, "code")
    for changes, rule in (
        ({"train": params.train.model_copy(update={"max_steps": 2})}, "train.max_steps: a trial"),
        ({"budget_unit": "tokens"}, "budget_unit: the sweep draws rows"),
    ):
        with pytest.raises(InputError, match=rule):
            sweep(params.model_copy(update=changes), [Recipe(1e-3, 1)], 1, "code")
    assert not Path(".store").exists()


def test_a_sweep_in_which_nothing_helps_says_so() -> None:
    def point(value: float, recipe: Recipe | None) -> Point:
        return Point(recipe, (value, value + 0.02), {"validation_a": (value, value)})

    none = Point(None, (1.0,), {"validation_a": (1.0,)})
    worse = [none, point(1.1, Recipe(1e-3, 1)), point(1.05, Recipe(1e-4, 1))]
    said = verdict(worse)
    assert said.startswith("No recipe improves on the base model: the best, `train: {learning_rate")
    assert "0.0001, epochs: 1}`, is 0.0600 bits per byte above it; 0 of 2 runs" in said
    better = [none, point(0.985, Recipe(1e-3, 2))]
    assert "0.0050 bits per byte below the base model; 1 of 2 runs are below" in verdict(better)
