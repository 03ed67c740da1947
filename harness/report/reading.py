"""Reading the rows of a table from the cells that params name, and dropping those they do not."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import layout
from harness.errors import InputError
from harness.files import being_written, leftovers, read_json, remove
from harness.params import Params
from harness.report.statistics import Items
from harness.schemas import SAMPLES, read_frame
from harness.suites import Suite
from harness.suites.metrics import SeedMetrics, read_metrics

if TYPE_CHECKING:
    import pandas as pd

BASELINE = "random"


@dataclass(frozen=True)
class Row:
    """A row of a table: one selection's runs, by seed."""

    name: str
    seeds: tuple[int, ...]
    metrics: dict[int, SeedMetrics]  # by seed: what evaluate wrote
    manifests: dict[int, dict[str, Any]]  # by seed: what train wrote
    samples: "pd.DataFrame"
    stages: tuple[str, ...]  # that evaluate it

    @property
    def trained(self) -> bool:
        """False for the base model as it is: the same whatever the seed."""
        return all(m["weights"] != "base" for m in self.manifests.values())

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


def stage_name(params: Params, study: str, selection: str, group: str) -> str:
    """The DVC stage that evaluates a cell."""
    more = group in params.groups.more and group not in params.groups.main
    suffix = "_seeds" if more else ("" if study == "main" else f"_{study}")
    return f"evaluate{suffix}@{selection}-{group}"


def read_row(params: Params, name: str, cells: Sequence[tuple[str, str]]) -> Row:
    """Read a row from its cells, given as (study, group); InputError names a missing one."""
    import pandas as pd

    metrics: dict[int, SeedMetrics] = {}
    manifests: dict[int, dict[str, Any]] = {}
    frames: list[pd.DataFrame] = []
    stages = [stage_name(params, study, name, group) for study, group in cells]
    for (study, group), stage in zip(cells, stages, strict=True):
        cell = layout.cell_folder(study, name, group)
        if not (cell / "metrics.json").is_file():
            raise InputError(f"{cell / 'metrics.json'}: no such file; run dvc repro {stage}")
        found = read_metrics(cell / "metrics.json")
        if found.suite != params.evaluate.suite:
            raise InputError(
                f"{cell / 'metrics.json'}: scores of suite {found.suite}, not of "
                f"{params.evaluate.suite}; run dvc repro {stage}"
            )
        frames.append(read_frame(cell / "samples.parquet", SAMPLES))
        for seed in params.seeds_of(name, group):
            if str(seed) not in found.seeds:
                raise InputError(
                    f"{cell / 'metrics.json'}: no scores of seed {seed}; run dvc repro {stage}"
                )
            metrics[seed] = found.seeds[str(seed)]
            manifests[seed] = read_json(cell / "train" / f"seed_{seed}.json")
    if not metrics:
        raise InputError(f"params.yaml: {name} has no seed in common with the groups it is run for")
    # Of a suite of programs alone that were not run, no frame has a row.
    samples = pd.concat([f for f in frames if len(f)] or frames[:1], ignore_index=True)
    return Row(name, tuple(sorted(metrics)), metrics, manifests, samples, tuple(stages))


def study_rows(params: Params, study: str) -> list[Row]:
    """The rows of a study in the order of its list, each over the main seed groups."""
    rows = []
    for name in params.studies[study].selections:
        cells = [(study, group) for group in params.groups.main]
        rows.append(read_row(params, name, cells))
    return rows


def every_cell(params: Params, name: str) -> list[tuple[str, str]]:
    """All cells of a selection as (study, group), whichever study they lie in."""
    return [(s, g) for s in params.studies for n, g in params.cells(s) if n == name]


def prune_cells(params: Params, study: str) -> list[Path]:
    """Remove a study's cells, subsets and selection files that params do not name; return them.

    So goes what a killed stage left unfinished in those they do name.

    DVC leaves the files of a stage that is gone, and the report, which depends on their folders,
    would have other inputs here than in a fresh clone.
    """
    cells = {layout.cell_folder(study, name, group) for name, group in params.cells(study)}
    chosen = [name for name, item in params.references.items() if item.study == study]
    chosen += list(params.every_selection) if study == "main" else []
    named = cells | {layout.subset_folder(study, name) for name in chosen}
    named |= {layout.selection_file(study, name) for name in chosen}
    folders = [
        layout.RUNS / study,
        layout.subset_folder(study, ""),
        layout.selection_file(study, "x").parent,
    ]
    removed = [path for folder in folders for path in unnamed(folder, named)]
    for path in removed:
        remove(path)
    return removed


def unnamed(folder: Path, named: set[Path]) -> list[Path]:
    """What lies in a folder and neither is named, nor holds what is named; and leftovers in it."""
    found: list[Path] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path in named:
            found += leftovers(path.rglob(".*"))
            continue
        if being_written(path):
            continue
        holds = any(path in other.parents for other in named)
        found += unnamed(path, named) if holds else [path]
    return found


def benchmarks_of(suite: Suite) -> list[str]:
    """The columns whose items make up the headline."""
    head = suite.column(suite.headline)
    return list(head.of or [head.name])


def row_items(suite: Suite, row: Row, seeds: Sequence[int]) -> list[Items]:
    """Item scores of the headline's benchmarks, in the scale of the table, items by their id."""
    found = []
    for name in benchmarks_of(suite):
        samples = row.samples[row.samples["task"] == name]
        table = samples.pivot(index="item", columns="seed", values="score").sort_index()
        table = table.reindex(columns=list(seeds))
        if not len(table) or not np.isfinite(table.to_numpy()).all():
            raise InputError(
                f"samples of {row.name}: {name} lacks items of some seed of {list(seeds)}; "
                f"run the stage that evaluates {row.name} again"
            )
        weights = samples.groupby("item")["weight"].first().reindex(table.index)
        ids = tuple(str(item) for item in table.index)
        found.append(Items(table.to_numpy().T, weights.to_numpy(), ids))
    return found


def paired_items(suite: Suite, ours: Row, theirs: Row) -> tuple[list[Items], list[Items], bool]:
    """Item scores of two rows on the same items, and whether they are paired by seed too.

    Rows of different seeds are not cut to those they share: their difference would then not be
    the one of the means the table shows.
    """
    paired = ours.seeds == theirs.seeds and len(ours.seeds) > 1
    a, b = (row_items(suite, row, row.seeds) for row in (ours, theirs))
    for one, other in zip(a, b, strict=True):
        if one.ids != other.ids:
            raise InputError(
                f"{ours.name} and {theirs.name} were evaluated on different items; "
                "dvc repro evaluates both on the same"
            )
    return a, b, paired
