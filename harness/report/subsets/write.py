"""Write what the main table's subsets are, before anything is trained."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.common.schemas import read_pool
from harness.describing.measures import FAMILY, NEAR_DUPLICATE
from harness.params.params import Params
from harness.params.pruning import SUBSETS
from harness.report.shared import columns
from harness.report.shared.clusterings import POOR
from harness.report.shared.notes import preset_note
from harness.report.shared.pages import page, write_report
from harness.report.shared.tables import csv_text
from harness.report.subsets.bars import plot_bars
from harness.report.subsets.charts import subset_charts
from harness.report.subsets.clusterings import (
    best_at_the_end,
    clustering_facts,
    plot_clusterings,
)
from harness.report.subsets.contamination import read_contamination
from harness.report.subsets.inputs import SubsetStudy, read_subset_study
from harness.report.subsets.map import plot_map
from harness.report.subsets.scorer_agreement import agreements
from harness.report.subsets.tables import (
    clustering_table,
    family_table,
    scorer_table,
    shared_cost_table,
    subset_table,
)

if TYPE_CHECKING:
    import pandas as pd

DECIMALS = 6


def write_subset_report(params: Params, study: str = SUBSETS) -> Path:
    """Write ``table.csv|md``, ``scorers.csv``, ``bars.png``, ``map.png`` and ``clusterings.png``.

    Rows are those of the main table; `none`, which takes no row, is left out. Everything is
    computed before the first file is written. Returns the folder. Raises InputError naming the file
    that is missing or of another pool.
    """
    subsets, rows = read_subset_study(params), read_pool()
    names = ("prompt", "response") if params.report.texts else ()
    texts = {name: rows.frame[name].tolist() for name in names}
    frame = measures_frame(subsets)
    clusterings = clustering_facts(params, subsets.pool.quality)
    noise = subsets.pool.noise if subsets.pool.noise is not None else np.array([], dtype=str)
    scorers = agreements(subsets.pool.scores, noise)
    return write_report(
        params,
        study,
        {
            "table.md": markdown(params, subsets, frame, scorers, clusterings),
            "table.csv": csv_text(frame.round(DECIMALS)),
            "scorers.csv": csv_text(scorers.round(DECIMALS)),
            "bars.png": partial(plot_bars, frame, subsets.scorer),
            "map.png": partial(plot_map, subsets),
            "clusterings.png": partial(plot_clusterings, clusterings, subsets.quality),
        },
        subset_charts(subsets, frame, rows.ids, texts),
        texts=params.report.texts,
    )


def measures_frame(study: SubsetStudy) -> "pd.DataFrame":
    """One row a selection and seed: its name, every measure, what selecting cost, its notes."""
    import pandas as pd

    lines = []
    for one in study.cells:
        named = {"selection": one.cell.name, "kind": one.kind, "sampler": one.sampler}
        for seed, facts in one.seeds.items():
            cost = {name: facts.cost[name] for name in columns.COST}
            texts = {"reads": one.reads, "notes": "; ".join(facts.notes)}
            lines.append({**named, "seed": seed, **facts.measures, **cost, **texts})
    frame = pd.DataFrame(lines)
    first = ["selection", "kind", "sampler", "seed", *columns.SIZE]
    first += [f"{columns.MEAN}{name}" for name in study.pool.scores]
    families = [name for name in frame if name.startswith(FAMILY)]
    names = dict.fromkeys([*first, *columns.MEASURES, *families, "reads", "notes"])
    order = [name for name in names if name in frame]
    return frame.reindex(columns=order).astype(dict.fromkeys(columns.SIZE, "int64"))


def markdown(
    params: Params,
    study: SubsetStudy,
    frame: "pd.DataFrame",
    scorers: "pd.DataFrame",
    clusterings: "pd.DataFrame",
) -> str:
    """The report's page: tables of every selection, the scorers, the clusterings, the meanings."""
    clusters = _shown_clusters(frame)
    planted = [name for name in columns.PLANTED if name in frame]
    mixed = study.pool.families
    # What models and judges cost is shown only where a selection had any.
    costs = [
        n for n in columns.COST if n not in columns.FEEDBACK or (frame[n] != 0).to_numpy().any()
    ]
    shown = [*columns.SIZE, *columns.QUALITY, *columns.COVERAGE, *clusters, *planted, *costs]
    means = [f"{columns.MEAN}{name}" for name in params.scorers]
    selections = {**params.selections_scored, **params.selections_rounds}
    own = [(n, selections[n].quality) for n in frame["selection"].unique() if n in selections]
    return page(
        "subsets/page.md.jinja",
        params=params,
        study=study,
        references=frame.loc[frame["kind"] == "reference", "selection"].unique().tolist(),
        preset=preset_note(params.preset),
        coverage=subset_table(frame, columns.COVERAGE),
        quality=subset_table(frame, [*columns.SIZE, *means, *columns.QUALITY]),
        spread=subset_table(frame, clusters),
        planted=subset_table(frame, planted) if planted else None,
        families=None if mixed is None else family_table(frame, mixed),
        costs=subset_table(frame, costs, reads=True),
        shared_costs=shared_cost_table(study.costs),
        warnings=_warnings(frame),
        clean=max(scorers["clean"].tolist(), default=0),
        spearman=scorer_table(scorers, "spearman"),
        auc=scorer_table(scorers, "auc"),
        searched=read_contamination(params),
        clusterings=clustering_table(clusterings),
        largest=best_at_the_end(clusterings),
        labels={name: columns.column(name).label for name in shown},
        near_duplicate=NEAR_DUPLICATE,
        own=[(name, quality) for name, quality in own if quality],
        poor=POOR,
    )


def _shown_clusters(frame: "pd.DataFrame") -> list[str]:
    """The measures of clusters; a selection's own only where they differ from the shared ones."""
    known = [name for name in columns.CLUSTERS if name in frame]
    own = frame[[name for name in known if name.startswith(columns.OWN)]].dropna()
    shared = frame.loc[own.index, [name.removeprefix(columns.OWN) for name in own]]
    if (own.to_numpy() == shared.to_numpy()).all():
        known = [name for name in known if not name.startswith(columns.OWN)]
    return known


def _warnings(frame: "pd.DataFrame") -> list[tuple[str, list[int], str]]:
    """What samplers warned of, each warning once: selection, seeds, text."""
    seeds: dict[tuple[str, str], list[int]] = {}
    for line in frame.to_dict("records"):
        if line["notes"]:
            seeds.setdefault((line["selection"], line["notes"]), []).append(line["seed"])
    return [(name, mine, note) for (name, note), mine in seeds.items()]
