"""Write what a study's subsets are to ``results/<preset>/``, before anything is trained."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness import layout
from harness.files import replacing
from harness.params import Params
from harness.progress import progress
from harness.report.render import csv_text
from harness.selection_report.bars import plot_bars
from harness.selection_report.clusterings import clustering_facts, plot_clusterings
from harness.selection_report.columns import COLUMNS, COST, MEAN, SIZE
from harness.selection_report.map import plot_map
from harness.selection_report.measures import describe_subset
from harness.selection_report.planted import agreements
from harness.selection_report.reading import Inputs, read_inputs
from harness.selection_report.text import markdown

if TYPE_CHECKING:
    import pandas as pd

DECIMALS = 6


def write_selection_report(params: Params, study: str) -> Path:
    """Write ``selection_<study>.csv|md|png``, ``scorers_``, ``map_`` and ``clusters_<study>``.

    Args:
        params: the pipeline's.
        study: whose selections; `none`, which takes no row, is left out.

    Everything is worked out before the first file is written. Returns the folder. Raises
    InputError naming the file that is missing or of another pool.
    """
    inputs = read_inputs(params, study)
    frame = measure(inputs)
    clusterings = clustering_facts(params, inputs.pool.quality)
    noise = inputs.pool.noise if inputs.pool.noise is not None else np.array([], dtype=str)
    scorers = agreements(inputs.pool.scores, noise)
    text = markdown(params, study, inputs, frame, scorers, clusterings)
    folder = layout.RESULTS / params.preset
    texts = {
        f"selection_{study}.md": text,
        f"selection_{study}.csv": csv_text(frame.round(DECIMALS)),
        f"scorers_{study}.csv": csv_text(scorers.round(DECIMALS)),
    }
    for name, written in texts.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(written, encoding="utf-8")
    plot_bars(frame, inputs.scorer, folder / f"selection_{study}.png")
    plot_map(inputs, folder / f"map_{study}.png")
    plot_clusterings(clusterings, inputs.quality, folder / f"clusters_{study}.png")
    return folder


def measure(inputs: Inputs) -> "pd.DataFrame":
    """One row a selection and seed: its name, every measure, what choosing cost, and its notes."""
    import pandas as pd

    lines = []
    for subset in progress(inputs.subsets, "measure"):
        found = describe_subset(inputs.pool, subset.picks, subset.own_quality, subset.own_labels)
        named = {"selection": subset.name, "kind": subset.kind, "sampler": subset.sampler}
        cost = {name: getattr(subset, name) for name in COST}
        said = {"reads": subset.reads, "notes": "; ".join(subset.notes)}
        lines.append({**named, "seed": subset.seed, **found, **cost, **said})
    frame = pd.DataFrame(lines)
    first = ["selection", "kind", "sampler", "seed", *SIZE]
    first += [f"{MEAN}{name}" for name in inputs.pool.scores]
    order = [name for name in dict.fromkeys([*first, *COLUMNS, "reads", "notes"]) if name in frame]
    return frame.reindex(columns=order).astype(dict.fromkeys(SIZE, "int64"))
