"""Removes the files of stages that params no longer name.

DVC leaves them, and a stage that depends on their folder would have other inputs here than in a
fresh clone.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.common import layout
from harness.common.files import remove, unnamed
from harness.common.timings import timings_of
from harness.params.params import MAIN, Params

SUBSETS = "subsets"  # the report that describes every subset
RECIPE = "recipe"  # that of scripts/choose_recipe.py


def prune(params: Params) -> list[Path]:
    """Remove files and results that params no longer name; return what was removed.

    Leftovers of killed stages in what they do name are removed, too.
    """
    cells = params.every_cell()
    chosen = [*params.every_selection, *params.references]
    results = layout.RESULTS / params.preset
    written = (*params.every_study, *params.world_reports, SUBSETS)
    reports = {results / name for name in (*written, RECIPE)}
    kept = {
        layout.RUNS: {layout.RUNS / cell.path for cell in cells},
        layout.DESCRIBED: {layout.DESCRIBED / cell.path for cell in cells},
        layout.REWARD_MODELS: {layout.REWARD_MODELS / n for n in (MAIN, *params.reward_models)},
        layout.SUBSETS: {layout.subset_folder(name) for name in chosen},
        layout.SELECTIONS: {layout.selection_folder(name) for name in chosen},
        layout.WORLDS: {layout.WORLDS / name for name in params.worlds},
        layout.page_parts(params.preset): {
            layout.page_part(params.preset, name) for name in written
        },
        results: reports
        | {layout.page_parts(params.preset)}
        | {path for path in results.glob("*") if path.is_file()},
    }
    for folder in (layout.RUNS, layout.DESCRIBED, layout.REWARD_MODELS, layout.SELECTIONS):
        kept[timings_of(folder)] = {timings_of(path) for path in kept[folder]}
    for world in params.worlds:
        timed = (layout.RUNS / MAIN, layout.DESCRIBED / MAIN, layout.SELECTIONS)
        places = (*timed, *map(timings_of, timed), layout.SUBSETS)
        for folder in (layout.WORLDS / world / place for place in places):
            kept[folder] = {folder / row for row in params.world_rows}
    return [*_remove_others(kept), *prune_shared(list(params.every_embedding), params.cluster.k)]


def prune_shared(embeddings: Sequence[str], grid: Sequence[int]) -> list[Path]:
    """Remove the embeddings and clusterings that params no longer name; return their paths."""
    vectors = {layout.EMBEDDINGS / name for name in embeddings}
    labels = {layout.cluster_folder(e, k) for e in embeddings for k in (*grid, "auto")}
    facts = {layout.silhouette_file(e, k) for e in embeddings for k in grid}
    kept = {layout.EMBEDDINGS: vectors, layout.CLUSTERS: labels, layout.SILHOUETTES: facts}
    for folder in (layout.EMBEDDINGS, layout.SILHOUETTES):
        kept[timings_of(folder)] = {timings_of(path) for path in kept[folder]}
    return _remove_others(kept)


def _remove_others(kept: Mapping[Path, set[Path]]) -> list[Path]:
    """Remove all in these folders but what is named for each; return what was removed."""
    removed = [path for folder, named in kept.items() for path in unnamed(folder, named)]
    for path in removed:
        remove(path)
    return removed
