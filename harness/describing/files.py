"""The files of a described cell."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import read_array, write_json
from harness.common.timings import read_timed
from harness.params.params import Cell

FACTS = "facts.json"
NOISE = "cluster_noise.npy"


@dataclass(frozen=True)
class SeedFacts:
    """What is known of one seed's subset.

    Attributes:
        picks: (m,) int64, indices into the pool in the order of selection; empty for no training.
        measures: by name, those of `harness.describing.measures`; empty for an empty subset.
        cost: what selecting the whole subset took; `harness.describing.cell` lists it.
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
        cell: the cell.
        kind: selection or reference.
        sampler: the system, or the rows that a reference takes.
        reads: everything the selection reads of the pool, in words.
        seeds: the facts by seed.
    """

    cell: Cell
    kind: str
    sampler: str
    reads: str
    seeds: dict[int, SeedFacts] = field(default_factory=dict)


def described_folder(cell: Cell) -> Path:
    """The folder with the description of a cell's subsets."""
    return layout.DESCRIBED / cell.path


def read_stage_json(path: Path, stage: str) -> Any:  # noqa: ANN401  (any type)
    """Read a JSON file and its timings; InputError names the stage where it is absent or broken."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; dvc repro {stage}")
    return read_timed(path, f"dvc repro {stage}")


def write_described(folder: Path, described: Described) -> None:
    """Write ``facts.json``, and the picks of each seed beside it."""
    seeds: dict[str, Any] = {}
    for seed, one in described.seeds.items():
        np.save(folder / f"seed_{seed}.npy", one.picks)
        parts = {"measures": one.measures, "cost": one.cost}  # JSON has no NaN
        known = {
            name: {key: None if value != value else value for key, value in part.items()}
            for name, part in parts.items()
        }
        seeds[str(seed)] = {**known, "notes": list(one.notes)}
    heads = {name: getattr(described, name) for name in ("kind", "sampler", "reads")}
    write_json(folder / FACTS, {"selection": described.cell.of, **heads, "seeds": seeds})


def read_described(cell: Cell) -> Described:
    """Read what ``write_described`` wrote; InputError names the stage where it is absent."""
    folder, stage = described_folder(cell), cell.stage("describe")
    facts = read_stage_json(folder / FACTS, stage)
    seeds = {}
    for seed in cell.seeds:
        if str(seed) not in facts["seeds"]:
            raise InputError(f"{folder / FACTS}: nothing of seed {seed}; dvc repro {stage}")
        one = facts["seeds"][str(seed)]
        measures, cost = (
            {key: float("nan") if value is None else value for key, value in one[part].items()}
            for part in ("measures", "cost")
        )
        picks = read_array(folder / f"seed_{seed}.npy", stage)
        seeds[seed] = SeedFacts(picks, measures, cost, tuple(one["notes"]))
    return Described(cell, facts["kind"], facts["sampler"], facts["reads"], seeds)
