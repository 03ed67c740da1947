"""Reading what a study by round needs: cuts and their scores, and what each round left."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import layout
from harness.clustering import read_clustering
from harness.embedding_files import read_embedding
from harness.errors import InputError, nearest
from harness.files import read_json, remove
from harness.params import Params
from harness.report.comparable import compare
from harness.report.reading import Row, study_rows, unnamed
from harness.report.table import check_agreement
from harness.schemas import (
    ROUND_CLUSTERS,
    ROUND_INSTANCES,
    TRUTH,
    Table,
    read_frame,
    read_pool,
    read_subset,
)
from harness.suites import Suite, load_suite

if TYPE_CHECKING:
    import pandas as pd

SCORERS, ROUNDS = "scorers", "rounds"  # the two studies
WEIGHING = "kmq_iterative"  # the system that weighs clusters by scores of answers
DEFAULT_SCORER = "perplexity"  # what it scores by where params do not say


@dataclass(frozen=True)
class CutRow:
    """A row of a study: the beginning of a selection's subsets, trained on and evaluated.

    Attributes:
        of: the selection.
        row: the scores.
        ids: what each seed's subset holds, in the order of ``row.seeds``.
    """

    of: str
    row: Row
    ids: list[list[str]]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Rows of each seed's subset."""
        return tuple(len(ids) for ids in self.ids)


@dataclass(frozen=True)
class SeedRounds:
    """One seed's rounds as they were written; no frames where no cluster was weighed."""

    rounds: list[dict[str, Any]]
    clusters: "pd.DataFrame | None"
    instances: "pd.DataFrame | None"


@dataclass(frozen=True)
class Loop:
    """A feedback-driven selection: its rounds by seed, and what it scores answers by, if it does.

    ``noise`` is the share of planted noise in each of its clusters, (k,); None where nothing is
    planted or no cluster weighed.
    """

    name: str
    scorer: str | None
    seeds: dict[int, SeedRounds]
    noise: np.ndarray | None = None

    @property
    def count(self) -> int:
        """How many rounds there were."""
        return len(next(iter(self.seeds.values())).rounds)

    @property
    def weighed(self) -> bool:
        """Whether it gave clusters weights."""
        return all(one.clusters is not None for one in self.seeds.values())


@dataclass(frozen=True)
class Inputs:
    """A study by round: its cuts in the params' order, and the loops that they are of.

    ``vendi`` is empty but for the study that shows it: a value a cut and seed.
    """

    params: Params
    study: str
    suite: Suite
    cuts: list[CutRow]
    loops: list[Loop]
    vendi: dict[str, list[float]] = field(default_factory=dict)

    def cut_of(self, of: str, sizes: tuple[int, ...]) -> CutRow | None:
        """The beginning of a selection of that many rows, if the study has it.

        Of as many in each seed; other seeds, or fewer, compare where every size is the same.
        """
        one = set(sizes) if len(set(sizes)) == 1 else None
        found = (c for c in self.cuts if c.of == of and (c.sizes == sizes or set(c.sizes) == one))
        return next(found, None)


def read_inputs(params: Params, study: str) -> Inputs:
    """Read a study; InputError names the first file that is missing, and the stage that makes it.

    Raises InputError also where no row has rounds, or, in `scorers`, none weighs clusters.
    """
    listed = params.studies[study].selections
    for name in listed:
        if name not in params.cuts:
            told = f"{name!r} is none of `cuts`{nearest(name, params.cuts)}"
            raise InputError(f"params.yaml: studies.{study}.selections: {told}")
    names = list(dict.fromkeys(params.cuts[name].of for name in listed))
    loops = [_loop(params, study, name) for name in names if name in params.selections_rounds]
    if not loops or (study == SCORERS and not any(loop.weighed for loop in loops)):
        wanted = f"of sampler {WEIGHING} in two rounds or more" if study == SCORERS else "in rounds"
        raise InputError(
            f"params.yaml: studies.{study}.selections: no cut of a selection {wanted}; list one, "
            f"or write reports.{study}: []"
        )
    suite, rows = compare(load_suite(params.evaluate.suite), study_rows(params, study))
    cuts = []
    for row in rows:
        check_agreement(suite, row)
        cuts.append(CutRow(params.cuts[row.name].of, row, _ids(params, row)))
    vendi = _vendi(params, cuts) if study == ROUNDS else {}
    return Inputs(params, study, suite, cuts, loops, vendi)


def _seed_files(params: Params, name: str, folder: Path, ending: str) -> dict[int, Path]:
    """Where each seed's files of a selection or a cut lie, over the main seed groups."""
    return {
        seed: folder / group / f"seed_{seed}{ending}"
        for group in params.groups.main
        for seed in params.seeds_of(name, group)
    }


def _ids(params: Params, row: Row) -> list[list[str]]:
    files = _seed_files(params, row.name, layout.subset_folder(layout.CUTS, row.name), ".parquet")
    return [
        read_subset(files[seed], f"cut@{row.name}").sort_values("order")["id"].tolist()
        for seed in row.seeds
    ]


def _frame(path: Path, table: Table, stage: str) -> "pd.DataFrame":
    if not path.is_file():
        raise InputError(f"{path}: no such file; dvc repro {stage}")
    return read_frame(path, table)


def _loop(params: Params, study: str, name: str) -> Loop:
    item, stage = params.selections_rounds[name], f"select_rounds@{name}"
    seeds: dict[int, SeedRounds] = {}
    files = _seed_files(params, name, layout.rounds_folder("main", name), "")
    for seed, folder in sorted(files.items()):  # as the seeds of a row are
        if not (folder / "rounds.json").is_file():
            raise InputError(f"{folder / 'rounds.json'}: no such file; dvc repro {stage}")
        rounds = read_json(folder / "rounds.json")
        clusters, instances = None, None
        if item.sampler == WEIGHING and len(rounds) > 1:  # nothing is asked after the last
            clusters = _frame(folder / "clusters.parquet", ROUND_CLUSTERS, stage)
            instances = _frame(folder / "instances.parquet", ROUND_INSTANCES, stage)
        seeds[seed] = SeedRounds(rounds, clusters, instances)
        first = next(iter(seeds.values())).rounds
        if len(rounds) != len(first):
            raise InputError(
                f"{folder / 'rounds.json'}: {len(rounds)} rounds, where another seed has "
                f"{len(first)}; dvc repro -f {stage}"
            )
    if item.sampler != WEIGHING:
        return Loop(name, None, seeds)
    scorer = str(item.sampler_params.get("scorer", DEFAULT_SCORER))
    return Loop(name, scorer, seeds, _noise(item.k) if study == SCORERS else None)


def _pool_ids() -> list[str]:
    return read_pool().ids


def _noise(k: int | str) -> np.ndarray | None:
    """The share of planted noise in each cluster, (k,); an empty one has none."""
    truth = _frame(layout.TRUTH_FILE, TRUTH, "prepare")
    if not len(truth):
        return None
    ids = _pool_ids()
    if truth["id"].tolist() != ids:
        raise InputError(
            f"{layout.TRUTH_FILE}: rows of another pool than {layout.POOL_FILE}; dvc repro prepare"
        )
    clustering = read_clustering(layout.cluster_folder(k), len(ids))
    sizes = np.bincount(clustering.labels, minlength=clustering.k)
    faulty = (truth["noise"] != "none").to_numpy()
    return np.bincount(clustering.labels[faulty], minlength=clustering.k) / np.maximum(sizes, 1)


def _vendi(params: Params, cuts: list[CutRow]) -> dict[str, list[float]]:
    """The Vendi score of every cut and seed, on the pool's embedding."""
    from harness.selection_report.measures import vendi_score

    places = {name: i for i, name in enumerate(_pool_ids())}
    embeddings = read_embedding(layout.EMBEDDINGS, params.embedding, layout.POOL_FILE)
    found: dict[str, list[float]] = {}
    for cut in cuts:
        unknown = next((i for ids in cut.ids for i in ids if i not in places), None)
        if unknown is not None:
            told = f"the pool has no row {unknown!r}; dvc repro cut@{cut.row.name}"
            raise InputError(f"{layout.subset_folder(layout.CUTS, cut.row.name)}: {told}")
        picks = [np.array([places[i] for i in ids]) for ids in cut.ids]
        found[cut.row.name] = [vendi_score(embeddings[rows]) for rows in picks]
    return found


def prune_rounds(params: Params) -> list[Path]:
    """Remove the cuts and the rounds of selections that params do not name; return them.

    DVC leaves the files of a stage that is gone, and a report, which depends on their folders,
    would have other inputs here than in a fresh clone.
    """
    cuts = {layout.subset_folder(layout.CUTS, name) for name in params.cuts}
    rounds = {layout.rounds_folder("main", name) for name in params.selections_rounds}
    removed = unnamed(layout.subset_folder(layout.CUTS, ""), cuts)
    removed += unnamed(layout.rounds_folder("main", ""), rounds)
    for path in removed:
        remove(path)
    return removed
