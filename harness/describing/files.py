"""The files of a described cell."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import read_array, read_json, write_json
from harness.params.params import Cell

FACTS = "facts.json"


@dataclass(frozen=True)
class SeedFacts:
    """What is known of one seed's subset.

    Attributes:
        picks: (m,) int64, places in the pool in the order of selection; none for no training.
        measures: by name, those of `harness.describing.measures`; none of an empty subset.
        cost: what choosing the whole subset took; `harness.describing.cell` says what.
        notes: what the system warned of.
    """

    picks: np.ndarray
    measures: dict[str, float]
    cost: dict[str, float]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Described:
    """A cell's subsets.

    Attributes:
        cell: which.
        kind: selection or reference.
        sampler: the system, or the rows that a reference takes.
        reads: all that the selection reads of the pool, in words.
        seeds: the facts by seed.
    """

    cell: Cell
    kind: str
    sampler: str
    reads: str
    seeds: dict[int, SeedFacts] = field(default_factory=dict)


def described_folder(cell: Cell) -> Path:
    """Where the description of a cell's subsets lies."""
    return layout.DESCRIBED / cell.path


def write_described(folder: Path, found: Described) -> None:
    """Write ``facts.json``, and the picks of each seed beside it."""
    seeds: dict[str, Any] = {}
    for seed, one in found.seeds.items():
        np.save(folder / f"seed_{seed}.npy", one.picks)
        parts = {"measures": one.measures, "cost": one.cost}
        known = {name: {k: _or_none(v) for k, v in part.items()} for name, part in parts.items()}
        seeds[str(seed)] = {**known, "notes": list(one.notes)}
    heads = {name: getattr(found, name) for name in ("kind", "sampler", "reads")}
    write_json(folder / FACTS, {"selection": found.cell.of, **heads, "seeds": seeds})


def read_described(cell: Cell) -> Described:
    """Read what ``write_described`` wrote; InputError names the stage where it is absent."""
    folder, stage = described_folder(cell), cell.stage("describe")
    if not (folder / FACTS).is_file():
        raise InputError(f"{folder / FACTS}: no such file; dvc repro {stage}")
    facts = read_json(folder / FACTS, f"dvc repro {stage}")
    seeds = {}
    for seed in cell.seeds:
        if str(seed) not in facts["seeds"]:
            raise InputError(f"{folder / FACTS}: nothing of seed {seed}; dvc repro {stage}")
        one = facts["seeds"][str(seed)]
        measures, cost = ({k: _or_nan(v) for k, v in one[p].items()} for p in ("measures", "cost"))
        picks = read_array(folder / f"seed_{seed}.npy", stage)
        seeds[seed] = SeedFacts(picks, measures, cost, tuple(one["notes"]))
    return Described(cell, facts["kind"], facts["sampler"], facts["reads"], seeds)


def _or_none(value: float) -> float | None:
    return None if value != value else value


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
