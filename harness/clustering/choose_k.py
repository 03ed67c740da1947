"""``k: auto``: the clustering of best silhouette among those that params name."""

import logging
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from harness.clustering.files import ARRAYS
from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import file_hash, read_json, replacing_folder, write_json

log = logging.getLogger(__name__)


def choose_k(embedding: str, grid: Sequence[int]) -> int:
    """Copy the clustering of best silhouette to ``data/clusters/<embedding>/k_auto``; return its k.

    ``grid`` has the numbers of clusters, as ``cluster.k``. Ties go to the smallest k. If none has a
    silhouette, the smallest k is copied, and ``read_clustering`` refuses it. Raises InputError for
    an empty grid and for a clustering that is missing or does not match its silhouette's.
    """
    if not grid:
        raise InputError("cluster.k: no number of clusters is given; add one")
    infos = {k: _checked_info(embedding, k) for k in sorted(set(grid))}
    silhouettes = {k: info["silhouette"] for k, info in infos.items()}
    best = best_k(silhouettes)
    with replacing_folder(layout.cluster_folder(embedding, "auto")) as temporary:
        for name in ARRAYS:
            file = f"{name}.npy"
            shutil.copyfile(layout.cluster_folder(embedding, best) / file, temporary / file)
        candidates = {str(k): silhouette for k, silhouette in silhouettes.items()}
        write_json(temporary / "info.json", {**infos[best], "candidates": candidates})
    message = "no silhouette is defined"
    if silhouettes[best] is not None:
        message = f"the best silhouette is {silhouettes[best]:.4f}"
    log.info("clustering: k = %d of %s: %s", best, ", ".join(candidates), message)
    if at_the_end(best, silhouettes):
        log.info("clustering: k = %d is the largest tried; add larger ones to cluster.k", best)
    return best


def best_k(silhouettes: Mapping[int, float | None]) -> int:
    """The k of best silhouette, the smallest of equals; the smallest k if none has one."""
    known = {k: value for k, value in silhouettes.items() if value is not None}
    return min(known or silhouettes, key=lambda k: (-known.get(k, 0.0), k))


def at_the_end(k: int, silhouettes: Mapping[int, float | None]) -> bool:
    """Whether the best k is the largest of several with a silhouette: a larger may be better."""
    known = [other for other, value in silhouettes.items() if value is not None]
    return len(known) > 1 and k == max(known)


def _checked_info(embedding: str, k: int) -> dict[str, Any]:
    """The info of the clustering for k, checked against its arrays."""
    file = layout.silhouette_file(embedding, k)
    info = read_json(file)
    for name in ARRAYS:
        path = layout.cluster_folder(embedding, k) / f"{name}.npy"
        if not path.is_file():
            raise InputError(f"{path}: no such file; dvc repro cluster@{embedding}-{k}")
        if file_hash(path) != info.get(f"{name}_sha256"):
            raise InputError(f"{path}: not what {file} is of; dvc repro cluster@{embedding}-{k}")
    return info
