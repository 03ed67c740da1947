"""``k: auto``: the clustering of best silhouette among those that params name."""

import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.clustering.files import ARRAYS
from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import file_hash, read_json, remove, replacing_folder, unnamed, write_json

log = logging.getLogger(__name__)


def choose_k(embedding: str, grid: Sequence[int]) -> int:
    """Copy the clustering of best silhouette to ``data/clusters/<embedding>/k_auto``; return its k.

    Ties go to the smallest k. One cluster has no silhouette; where none has, the smallest k is
    copied, and who reads it is told (``read_clustering``). Where the best is the largest, the log
    says so.

    Args:
        embedding: whose clusterings they are.
        grid: the numbers of clusters, as cluster.k of params.

    Raises:
        InputError: no k; a clustering that is absent or not the one its silhouette is of.
    """
    if not grid:
        raise InputError("cluster.k: names no number of clusters; add one")
    facts = {k: _checked_facts(embedding, k) for k in sorted(set(grid))}
    heights = {k: info["silhouette"] for k, info in facts.items()}
    best = best_k(heights)
    with replacing_folder(layout.cluster_folder(embedding, "auto")) as temporary:
        for name in ARRAYS:
            shutil.copyfile(_array(embedding, best, name), temporary / f"{name}.npy")
        candidates = {str(k): height for k, height in heights.items()}
        write_json(temporary / "info.json", {**facts[best], "candidates": candidates})
    message = "no silhouette is defined"
    if heights[best] is not None:
        message = f"the best silhouette is {heights[best]:.4f}"
    log.info("clustering: k = %d of %s: %s", best, ", ".join(candidates), message)
    if at_the_end(best, heights):
        log.info("clustering: k = %d is the largest tried; add larger ones to cluster.k", best)
    return best


def best_k(heights: Mapping[int, float | None]) -> int:
    """The k of best silhouette, the smallest of equals; the smallest k where none has one."""
    known = {k: height for k, height in heights.items() if height is not None}
    return min(known or heights, key=lambda k: (-known.get(k, 0.0), k))


def at_the_end(k: int, heights: Mapping[int, float | None]) -> bool:
    """Whether the best k is the largest of several with a silhouette: a larger may be better."""
    known = [other for other, height in heights.items() if height is not None]
    return len(known) > 1 and k == max(known)


def prune_clusterings(embeddings: Sequence[str], grid: Sequence[int]) -> list[Path]:
    """Remove the clusterings that params no longer name; return what was removed.

    DVC leaves the files of a cell that is gone, and a stage that depends on their folder would
    have other inputs here than in a fresh clone.
    """
    named = {layout.cluster_folder(e, k) for e in embeddings for k in (*grid, "auto")}
    named |= {layout.silhouette_file(e, k) for e in embeddings for k in grid}
    removed = [*unnamed(layout.CLUSTERS, named), *unnamed(layout.SILHOUETTES, named)]
    for path in removed:
        remove(path)
    return removed


def _array(embedding: str, k: int, name: str) -> Path:
    return layout.cluster_folder(embedding, k) / f"{name}.npy"


def _checked_facts(embedding: str, k: int) -> dict[str, Any]:
    """What the cell of k wrote beside its clustering, once the two agree."""
    file = layout.silhouette_file(embedding, k)
    facts = read_json(file)
    for name in ARRAYS:
        path = _array(embedding, k, name)
        if not path.is_file():
            raise InputError(f"{path}: no such file; dvc repro cluster@{embedding}-{k}")
        if file_hash(path) != facts.get(f"{name}_sha256"):
            raise InputError(f"{path}: not what {file} is of; dvc repro cluster@{embedding}-{k}")
    return facts
