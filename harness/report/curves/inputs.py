"""Reading what a study of curves needs: scores by size, and what each round left."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common.errors import InputError
from harness.common.files import read_array
from harness.common.schemas import ROUND_CLUSTERS, ROUND_INSTANCES, read_frame
from harness.describing.files import NOISE, SeedFacts, described_folder, read_stage_json
from harness.params.knobs import all_knobs
from harness.params.params import MAIN, Cell, Params
from harness.params.selections import Selection
from harness.report.shared.runs import Row, described
from harness.report.shared.study_table import read_study
from harness.round_systems import ROUND_SYSTEMS
from harness.samplers import SAMPLERS
from harness.suites import Suite

if TYPE_CHECKING:
    import pandas as pd

WEIGHING = "kmq_iterative"  # the system that weighs clusters by scores of answers
DEFAULT_SCORER = "perplexity"  # its scorer where params name none


@dataclass(frozen=True)
class Point:
    """A row of the study: a selection's subsets, or the first part of each, trained on."""

    row: Row
    seeds: dict[int, SeedFacts]
    curve: str  # the selection, or the one from which it differs by its budget alone

    @property
    def of(self) -> str:
        """The selection."""
        return self.row.of

    @property
    def base(self) -> str:
        """The base model that is trained."""
        return self.row.cells[0].base

    @property
    def sizes(self) -> tuple[int, ...]:
        """Rows of each seed's subset."""
        return tuple(len(self.seeds[seed].picks) for seed in self.row.seeds)


@dataclass(frozen=True)
class SeedRounds:
    """One seed's rounds as they were written; the frames are None where no cluster was weighed."""

    rounds: list[dict[str, Any]]
    clusters: "pd.DataFrame | None"
    instances: "pd.DataFrame | None"


@dataclass(frozen=True)
class Loop:
    """A feedback-driven selection: its rounds by seed, and the scorer of its answers, if any.

    ``noise`` is the share of planted noise in each of its clusters, (k,); None where nothing is
    planted or no cluster weighed.
    """

    name: str
    scorer: str | None
    seeds: dict[int, SeedRounds]
    noise: np.ndarray | None = None

    @property
    def count(self) -> int:
        """The number of rounds."""
        return len(next(iter(self.seeds.values())).rounds)

    @property
    def weighed(self) -> bool:
        """Whether it gave clusters weights."""
        return all(one.clusters is not None for one in self.seeds.values())


@dataclass(frozen=True)
class CurveStudy:
    """A study of curves: its points in the params' order, and the loops behind them."""

    params: Params
    study: str
    suite: Suite
    points: list[Point]
    loops: list[Loop]

    @property
    def weighed(self) -> list[Loop]:
        """The loops that gave clusters weights."""
        return [loop for loop in self.loops if loop.weighed]

    def point_of(self, of: str, sizes: tuple[int, ...], base: str = MAIN) -> Point | None:
        """The point of a selection or curve, of a base model, with that many rows in each seed.

        None where there is none. Points of other or fewer seeds compare where all sizes are the
        same number.
        """
        one = set(sizes) if len(set(sizes)) == 1 else None
        same = [p for p in self.points if p.base == base and of in (p.of, p.curve)]
        same.sort(key=lambda p: p.of != of)  # the selection itself, where both are there
        return next((p for p in same if p.sizes == sizes or set(p.sizes) == one), None)


def read_curve_study(params: Params, study: str) -> CurveStudy:
    """Read a study; InputError names a file that is missing and the stage that makes it."""
    suite, rows = read_study(params, study)
    # Rows of one selection hold the same rounds; some may have more seeds than others.
    most = {row.of: row for row in sorted(rows, key=lambda row: len(row.seeds))}
    names = [n for n in dict.fromkeys(row.of for row in rows) if n in params.selections_rounds]
    loops = [_loop(params, most[name].cells) for name in names]
    points = [Point(row, described(row), curve_of(params, row.of)) for row in rows]
    return CurveStudy(params, study, suite, points, loops)


def curve_of(params: Params, name: str) -> str:
    """The first selection of params that differs from this one by its budget and seeds at most."""
    if name not in params.every_selection:
        return name
    ours = _but_for_size(params.every_selection[name])
    return next(n for n, item in params.every_selection.items() if _but_for_size(item) == ours)


def _but_for_size(item: Selection) -> tuple[type, dict[str, Any], dict[str, Any]]:
    """What a selection is, whatever its budget and seeds; knobs with their defaults."""
    own = item.model_dump(include=set(type(item).model_fields) - {"budget", "seeds", "more_groups"})
    entry = {**SAMPLERS, **ROUND_SYSTEMS}[item.sampler]
    return type(item), own, all_knobs(entry, item.sampler_params)


def _loop(params: Params, cells: tuple[Cell, ...]) -> Loop:
    name = cells[0].of
    item = params.selections_rounds[name]
    seeds: dict[int, SeedRounds] = {}
    for cell, seed in sorted(((c, s) for c in cells for s in c.seeds), key=lambda pair: pair[1]):
        folder, stage = described_folder(cell) / f"seed_{seed}", cell.stage("describe")
        rounds = read_stage_json(folder / "rounds.json", stage)
        clusters, instances = None, None
        if item.sampler == WEIGHING and len(rounds) > 1:  # nothing is asked after the last
            remedy = f"dvc repro {stage}"
            clusters = read_frame(folder / "clusters.parquet", ROUND_CLUSTERS, remedy)
            instances = read_frame(folder / "instances.parquet", ROUND_INSTANCES, remedy)
        seeds[seed] = SeedRounds(rounds, clusters, instances)
        first = next(iter(seeds.values())).rounds
        if len(rounds) != len(first):
            raise InputError(
                f"{folder / 'rounds.json'}: {len(rounds)} rounds, where another seed has "
                f"{len(first)}; dvc repro -f select_rounds@{name}"
            )
    if item.sampler != WEIGHING:
        return Loop(name, None, seeds)
    scorer = str(item.sampler_params.get("scorer", DEFAULT_SCORER))
    file = described_folder(cells[0]) / NOISE
    noise = read_array(file, cells[0].stage("describe")) if file.is_file() else None
    return Loop(name, scorer, seeds, noise)
