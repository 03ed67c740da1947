"""Reading the rows of a table from the cells that params name."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common import layout
from harness.common.errors import InputError
from harness.common.schemas import SAMPLES, read_frame
from harness.common.timings import read_timed
from harness.describing.files import SeedFacts, read_described
from harness.params.params import Cell, Params
from harness.suites.metrics import SeedMetrics, read_metrics

if TYPE_CHECKING:
    import pandas as pd

BASELINE = "random"
NAN = float("nan")


@dataclass(frozen=True)
class Row:
    """A row of a table: the runs of its cells, by seed."""

    cells: tuple[Cell, ...]
    seeds: tuple[int, ...]
    metrics: dict[int, SeedMetrics]  # by seed: what evaluate wrote
    manifests: dict[int, dict[str, Any]]  # by seed: what train wrote
    samples: "pd.DataFrame"

    @property
    def name(self) -> str:
        """What its cells have in common."""
        return self.cells[0].name

    @property
    def of(self) -> str:
        """The selection or reference that it trains on."""
        return self.cells[0].of

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that evaluate it."""
        return tuple(cell.stage("evaluate") for cell in self.cells)

    @property
    def trained(self) -> bool:
        """False for the base model as it is: the same whatever the seed."""
        return all(m["weights"] != "base" for m in self.manifests.values())

    @property
    def trial(self) -> bool:
        """Whether training of a model of it was stopped early, by `train.max_steps`."""
        return any(m["steps"] < m.get("whole_steps", 0) for m in self.manifests.values())

    @property
    def runs(self) -> tuple[tuple[int, str], ...]:
        """Its models by seed; two rows of the same models are the same, whatever their names."""
        return tuple((seed, str(self.manifests[seed]["weights"])) for seed in self.seeds)

    def scores(self, column: str) -> list[float]:
        """A column's score for each seed, in the order of ``seeds``; NaN where it was not run."""
        for seed in self.seeds:
            if column not in self.metrics[seed].scores:
                raise InputError(
                    f"{self.name}: metrics.json has no column {column} of seed {seed}; run "
                    f"dvc repro {' '.join(self.stages)}"
                )
        return [self.metrics[seed].measured.get(column, np.nan) for seed in self.seeds]

    def has(self, column: str) -> bool:
        """Whether a column was run for every seed."""
        return bool(np.isfinite(self.scores(column)).all())


def run_folder(cell: Cell) -> Path:
    """What train and evaluate wrote of a cell, in its world."""
    world = layout.WORLDS / cell.world if cell.world else Path()
    return world / layout.RUNS / cell.path


def read_row(params: Params, cells: Sequence[Cell]) -> Row:
    """Read a row from its cells; InputError names the stage of one that is missing."""
    import pandas as pd

    metrics: dict[int, SeedMetrics] = {}
    manifests: dict[int, dict[str, Any]] = {}
    frames: list[pd.DataFrame] = []
    for cell in cells:
        file, stage = run_folder(cell) / "metrics.json", cell.stage("evaluate")
        if not file.is_file():
            raise InputError(f"{file}: no such file; run dvc repro {stage}")
        evaluated = read_metrics(file)
        if evaluated.suite != params.evaluate.suite:
            raise InputError(
                f"{file}: scores of suite {evaluated.suite}, not of {params.evaluate.suite}; run "
                f"dvc repro {stage}"
            )
        frames.append(read_frame(file.with_name("samples.parquet"), SAMPLES))
        for seed in cell.seeds:
            if str(seed) not in evaluated.seeds:
                raise InputError(f"{file}: no scores of seed {seed}; run dvc repro {stage}")
            metrics[seed] = evaluated.seeds[str(seed)]
            manifests[seed] = read_timed(file.parent / "train" / f"seed_{seed}.json")
    if not metrics:
        name = cells[0].name
        raise InputError(f"params.yaml: {name} has no seed in common with the groups it is run for")
    # A suite of nothing but programs that were not run leaves frames without rows.
    samples = pd.concat([f for f in frames if len(f)] or frames[:1], ignore_index=True)
    return Row(tuple(cells), tuple(sorted(metrics)), metrics, manifests, samples)


def cells_by_row(params: Params, study: str) -> dict[str, list[Cell]]:
    """The cells of each row of a study, rows in the order of the params."""
    rows: dict[str, list[Cell]] = {}
    for cell in params.cells(study):
        rows.setdefault(cell.name, []).append(cell)
    return rows


def study_rows(params: Params, study: str) -> list[Row]:
    """The rows of a study in the order of the params, each over all the seeds it has there."""
    return [read_row(params, cells) for cells in cells_by_row(params, study).values()]


def trained_cost(manifest: dict[str, Any]) -> dict[str, float]:
    """``train_seconds`` and ``train_flops`` of a run; NaN where its manifest has no FLOPs."""
    spent = manifest.get("flops", NAN)
    return {"train_seconds": float(manifest["seconds"]), "train_flops": float(spent)}


def described(row: Row) -> dict[int, SeedFacts]:
    """The facts of each seed's subset of a row."""
    return {seed: one for c in row.cells for seed, one in read_described(c).seeds.items()}
