"""Selections in rounds on a folder that is ready for them."""

from pathlib import Path
from typing import Any

import numpy as np

from harness.clustering.files import read_clustering
from harness.common import layout
from harness.common.schemas import read_pool
from harness.embedding.files import VECTORS
from harness.params.params import load_params
from harness.rounds.select import write_round_subsets
from harness.selecting.subsets import SamplerInputs
from tests.helpers.small_repo import edit_params, selection

STATIC = selection("diverse_evol", rounds=2, space="static")


KMQ = selection("kmq_iterative", k=6)


def select(tree: Path, quality: np.ndarray | None = None, **changes: Any) -> None:  # noqa: ANN401
    """Run the selection ``sel``, 9 instances, with some params changed."""
    edit_params(tree, **changes)
    params = load_params()
    pool = read_pool()
    clusters = read_clustering(
        layout.cluster_folder("minilm", params.selections_rounds["sel"].k), len(pool)
    )
    x = np.load(layout.EMBEDDINGS / "minilm" / VECTORS)
    inputs = SamplerInputs(pool, x, clusters, np.ones(len(pool), dtype=np.int64), quality)
    write_round_subsets(params, "sel", inputs, 9, "code")
