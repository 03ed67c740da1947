"""Reading what the report of the main table's subsets needs."""

from dataclasses import dataclass, field

import numpy as np

from harness.clustering.files import read_clustering
from harness.common.errors import InputError
from harness.common.layout import cluster_folder
from harness.describing import Described, read_described
from harness.describing.measures import PoolView
from harness.describing.pool import (
    AUTO,
    common_k,
    read_pool_ids,
    read_pool_scores,
    read_pool_view,
    report_quality,
)
from harness.describing.reads import ScoreCosts, read_score_costs
from harness.embedding.files import read_notes
from harness.params.params import MAIN, Params
from harness.selecting.quality import quality_notes


@dataclass(frozen=True)
class SubsetStudy:
    """The pool and every subset of the main table.

    Attributes:
        pool: what is measured against; its clusters are those that all subsets share.
        cells: in the table's order; one whose subsets are empty is not among them.
        quality: the expression behind ``pool.quality``, 0-1; None where there is no scorer.
        scorer: the column it is made of.
        clusters: how many the shared clusters are, and whether `k: auto` chose them.
        costs: what each column of the scores cost.
        quality_notes: what ``pool.quality`` does not tell apart.
        embedding_notes: what there is to say of how the embedding was made.
    """

    pool: PoolView
    cells: list[Described]
    quality: str | None
    scorer: str | None
    clusters: tuple[int, bool]
    costs: ScoreCosts = field(default_factory=dict)
    quality_notes: tuple[str, ...] = ()
    embedding_notes: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The rows, each once."""
        return list(dict.fromkeys(one.cell.name for one in self.cells))

    def first_picks(self) -> dict[str, np.ndarray]:
        """What the first seed of each row took."""
        found: dict[str, np.ndarray] = {}
        for one in self.cells:
            found.setdefault(one.cell.name, next(iter(one.seeds.values())).picks)
        return found


def read_subset_study(params: Params) -> SubsetStudy:
    """Read pool, scores, truth, clusters and subsets; InputError names what is missing."""
    ids = read_pool_ids()
    pool = read_pool_view(params, ids)
    scorer, quality = report_quality(params)
    described = [read_described(cell) for cell in params.cells(MAIN)]
    cells = [one for one in described if any(len(seed.picks) for seed in one.seeds.values())]
    if not cells:
        raise InputError("params.yaml: table: no row of it takes any row of the pool")
    k = common_k(params)
    folder = cluster_folder(params.defaults.embedding, k)
    said = quality_notes(quality, read_pool_scores(ids)) if quality else ()
    return SubsetStudy(
        pool,
        cells,
        quality,
        scorer,
        (read_clustering(folder, len(ids)).k, k == AUTO),
        read_score_costs(params),
        said,
        tuple(read_notes(params.defaults.embedding)),
    )
