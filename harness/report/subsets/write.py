"""Write what the main table's subsets are, before anything is trained."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.common import layout
from harness.common.files import replacing_folder
from harness.params.params import Params
from harness.params.pruning import SUBSETS
from harness.report.shared.text_tables import csv_text
from harness.report.subsets.bars import plot_bars
from harness.report.subsets.clusterings import clustering_facts, plot_clusterings
from harness.report.subsets.columns import COLUMNS, COST, MEAN, SIZE
from harness.report.subsets.inputs import SubsetStudy, read_subset_study
from harness.report.subsets.map import plot_map
from harness.report.subsets.markdown import markdown
from harness.report.subsets.scorer_agreement import agreements

if TYPE_CHECKING:
    import pandas as pd

DECIMALS = 6


def write_subset_report(params: Params) -> Path:
    """Write ``table.csv|md``, ``scorers.csv``, ``bars.png``, ``map.png`` and ``clusterings.png``.

    Rows are those of the main table; `none`, which takes no row, is left out. Everything is worked
    out before the first file is written. Returns the folder. Raises InputError naming the file
    that is missing or of another pool.
    """
    found = read_subset_study(params)
    frame = measures_frame(found)
    clusterings = clustering_facts(params, found.pool.quality)
    noise = found.pool.noise if found.pool.noise is not None else np.array([], dtype=str)
    scorers = agreements(found.pool.scores, noise)
    texts = {
        "table.md": markdown(params, found, frame, scorers, clusterings),
        "table.csv": csv_text(frame.round(DECIMALS)),
        "scorers.csv": csv_text(scorers.round(DECIMALS)),
    }
    with replacing_folder(layout.report_folder(params.preset, SUBSETS)) as folder:
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        plot_bars(frame, found.scorer, folder / "bars.png")
        plot_map(found, folder / "map.png")
        plot_clusterings(clusterings, found.quality, folder / "clusterings.png")
    return layout.report_folder(params.preset, SUBSETS)


def measures_frame(found: SubsetStudy) -> "pd.DataFrame":
    """One row a selection and seed: its name, every measure, what choosing cost, and its notes."""
    import pandas as pd

    lines = []
    for one in found.cells:
        named = {"selection": one.cell.name, "kind": one.kind, "sampler": one.sampler}
        for seed, facts in one.seeds.items():
            cost = {name: facts.cost[name] for name in COST}
            said = {"reads": one.reads, "notes": "; ".join(facts.notes)}
            lines.append({**named, "seed": seed, **facts.measures, **cost, **said})
    frame = pd.DataFrame(lines)
    first = ["selection", "kind", "sampler", "seed", *SIZE]
    first += [f"{MEAN}{name}" for name in found.pool.scores]
    order = [name for name in dict.fromkeys([*first, *COLUMNS, "reads", "notes"]) if name in frame]
    return frame.reindex(columns=order).astype(dict.fromkeys(SIZE, "int64"))
