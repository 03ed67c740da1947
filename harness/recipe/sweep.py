"""Which learning rate and number of epochs: random subsets, judged on the validation rows.

Held-out parts whose names begin with `validation_` are read by no column of a suite. The recipe is
chosen on them before any system is compared, and by no system but chance: each run trains on rows
drawn at random, by seeds that no table has.
"""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import (
    file_hash,
    read_json,
    remove,
    replacing_folder,
    value_hash,
    write_json,
)
from harness.common.schemas import HELDOUT, VALIDATION, PoolRows, read_frame, read_pool
from harness.common.stores import kept, locked, scratch_folder, seal
from harness.models.adapters import load_trained
from harness.models.loading import load_tokenizer, pick_device
from harness.params.params import Params
from harness.params.training import TrainParams
from harness.training.weights import base_hash

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

FIRST_SEED = 1_000_000  # the sweep's seeds begin here: none of them is a table's


class Recipe(NamedTuple):
    """What is chosen."""

    learning_rate: float
    epochs: int


class Point(NamedTuple):
    """Bits per byte on the validation rows, of all and by part, a value a seed."""

    recipe: Recipe | None  # None: the base model, untrained
    whole: tuple[float, ...]
    parts: dict[str, tuple[float, ...]]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return float(np.mean(self.whole))


def sweep(params: Params, recipes: Iterable[Recipe], seeds: int, code: str) -> list[Point]:
    """The base model, then each recipe over so many random subsets of the main budget.

    Finished runs of this ``code`` (a hash) are kept, so that a killed sweep goes on.
    InputError without validation rows, for a recipe that `train` would refuse, for trials, and for
    a budget in tokens.
    """
    if params.train.max_steps is not None:
        raise InputError("train.max_steps: a trial says nothing about a recipe; take it out")
    if params.budget_unit != "rows":
        raise InputError("budget_unit: the sweep draws rows; say budget_unit: rows meanwhile")
    hows = {recipe: _trained_by(params, recipe) for recipe in recipes}
    rows = validation_rows(read_frame(layout.HELDOUT_FILE, HELDOUT))
    pool = read_pool()
    budget = params.absolute_budget("random", len(pool))
    points = [_point(None, [_judge(params, layout.BASE_MODEL, rows)])]
    log.info("the base model: %.4f bits per byte", points[0].mean)
    for recipe, how in hows.items():
        runs = [_run(params, how, (pool, budget), rows, FIRST_SEED + i, code) for i in range(seeds)]
        points.append(_point(recipe, runs))
        bits = ", ".join(f"{value:.4f}" for value in points[-1].whole)
        log.info("rate %g, epochs %d: %s", *recipe, bits)
    return points


def _trained_by(params: Params, recipe: Recipe) -> TrainParams:
    """The params of training by a recipe; InputError for a value that they refuse."""
    try:
        return TrainParams.model_validate({**params.train.model_dump(), **recipe._asdict()})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"train.{where}: {first['msg']}, not {first['input']!r}") from None


def validation_rows(heldout: "pd.DataFrame") -> "pd.DataFrame":
    """The rows of the validation parts; InputError where there are none."""
    rows = heldout.loc[heldout["source"].str.startswith(VALIDATION)]
    if rows.empty:
        rule = f"no part of the held-out rows has a name that begins with {VALIDATION}"
        raise InputError(f"prepare.heldout: {rule}; add one, so that no table's rows are used")
    return rows


def best(points: Sequence[Point]) -> Point:
    """The recipe of fewest bits per byte; of equals the first."""
    return min((point for point in points if point.recipe), key=lambda point: point.mean)


def _point(recipe: Recipe | None, runs: Sequence[dict[str, float]]) -> Point:
    parts = {name: tuple(run[name] for run in runs) for name in runs[0] if name != "all"}
    return Point(recipe, tuple(run["all"] for run in runs), parts)


def _run(
    params: Params,
    how: TrainParams,
    drawn: tuple[PoolRows, int],
    rows: "pd.DataFrame",
    seed: int,
    code: str,
) -> dict[str, float]:
    """Train on random rows and judge; a finished run is read from its scratch folder."""
    from harness.training.sft import train

    pool, budget = drawn
    chosen = np.sort(np.random.default_rng(seed).permutation(len(pool))[:budget])
    subset = pool.take(chosen)
    parts = [pool.hash(), chosen.tolist(), base_hash(), how.model_dump(), seed, code]
    parts.append(params.evaluate.model_dump())
    key = value_hash([*parts, file_hash(layout.HELDOUT_FILE)])
    scratch = scratch_folder("recipe", key)
    result = scratch / "result"
    with locked(scratch):
        weights = scratch / "model"
        if kept(result) is None:
            messages = list(subset.conversations())
            train(layout.BASE_MODEL, messages, weights, how, seed, subset.names)
            with replacing_folder(result) as folder:
                write_json(folder / "bits.json", _judge(params, weights, rows))
                seal(folder)
        remove(weights)
        return read_json(result / "bits.json")


def _judge(params: Params, model: Path, rows: "pd.DataFrame") -> dict[str, float]:
    """Bits per byte of a model on the validation rows: of all, and by part."""
    import torch

    from harness.evaluation.bits_per_byte import bits_per_byte

    how, device = params.evaluate, pick_device(params.evaluate.device)
    if device == "cpu" and how.threads:
        torch.set_num_threads(how.threads)
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    loaded: Any = load_trained(model, layout.BASE_MODEL, dtype)
    scored = bits_per_byte(loaded.to(device), load_tokenizer(model), rows, how.batch_size)
    names, weights = scored["source"].to_numpy(), scored["weight"].to_numpy()
    bits = scored["score"].to_numpy() * weights
    chosen = {
        "all": np.full(len(scored), True),
        **{str(n): names == n for n in dict.fromkeys(names)},
    }
    return {name: float(bits[rows].sum() / weights[rows].sum()) for name, rows in chosen.items()}
