"""Reading what the report of the main table's subsets needs."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.clustering.files import read_clustering
from harness.common.errors import InputError
from harness.common.layout import cluster_folder
from harness.common.schemas import read_pool
from harness.describing.files import Described, read_described
from harness.describing.measures import PoolView
from harness.describing.pool import (
    AUTO,
    common_k,
    read_pool_scores,
    read_pool_view,
    report_quality,
)
from harness.describing.shared_costs import read_shared_costs
from harness.embedding.files import read_notes
from harness.params.params import MAIN, Params
from harness.selecting.quality import quality_notes


@dataclass(frozen=True)
class SubsetStudy:
    """The pool and every subset of the main table.

    Attributes:
        pool: what subsets are measured against; its clusters are those that all subsets share.
        cells: in the table's order, without those whose subsets are empty.
        quality: the expression behind ``pool.quality``, 0-1; None where there is no scorer.
        scorer: the column in that expression.
        clusters: the number of shared clusters, and whether `k: auto` chose it.
        costs: what was made once for many selections: `harness.describing.shared_costs`.
        quality_notes: which rows ``pool.quality`` cannot distinguish.
        embedding_notes: remarks on how the embedding was made.
    """

    pool: PoolView
    cells: list[Described]
    quality: str | None
    scorer: str | None
    clusters: tuple[int, bool]
    costs: dict[str, Any] = field(default_factory=dict)
    quality_notes: tuple[str, ...] = ()
    embedding_notes: tuple[str, ...] = ()

    def first_picks(self) -> dict[str, np.ndarray]:
        """What the first seed of each row took."""
        picks: dict[str, np.ndarray] = {}
        for one in self.cells:
            picks.setdefault(one.cell.name, next(iter(one.seeds.values())).picks)
        return picks


def read_subset_study(params: Params) -> SubsetStudy:
    """Read pool, scores, truth, clusters and subsets; InputError names what is missing."""
    ids = read_pool().ids
    pool = read_pool_view(params, ids)
    scorer, quality = report_quality(params)
    described = [read_described(cell) for cell in params.cells(MAIN)]
    cells = [one for one in described if any(len(seed.picks) for seed in one.seeds.values())]
    if not cells:
        raise InputError("params.yaml: table: no row of it takes any row of the pool")
    k = common_k(params)
    folder = cluster_folder(params.defaults.embedding, k)
    return SubsetStudy(
        pool,
        cells,
        quality,
        scorer,
        (read_clustering(folder, len(ids)).k, k == AUTO),
        read_shared_costs(params),
        quality_notes(quality, read_pool_scores(ids)) if quality else (),
        tuple(read_notes(params.defaults.embedding)),
    )
