"""Write a study by round to ``results/<preset>/``: tables, text, plots."""

from pathlib import Path
from typing import Any

import numpy as np

from harness import layout
from harness.errors import InputError
from harness.files import replacing
from harness.params import Params
from harness.report.render import csv_text
from harness.report.table import not_run_cells
from harness.round_report.loops import loop_lines
from harness.round_report.plots import plot_scores, plot_weights
from harness.round_report.reading import ROUNDS, SCORERS, read_inputs
from harness.round_report.scores import score_lines
from harness.round_report.text import markdown
from harness.suites import Suite

DECIMALS = 6
COUNTS = ("rows", "clusters", "noisy_clusters")


def write_round_report(params: Params, study: str) -> Path:
    """Write ``<study>.csv|md|png`` and ``loop_<study>.csv``; of `scorers` its weights' picture too.

    Args:
        params: the pipeline's.
        study: ``scorers`` (table 7 and figure 2 of arXiv 2409.11378) or ``rounds`` (DiverseEvol,
            arXiv 2311.08182, by round).

    Everything is worked out before the first file is written. Returns the folder. Raises
    InputError naming the file that is missing and the stage that makes it.
    """
    if study not in (SCORERS, ROUNDS):
        raise InputError(f"study is {study!r}; those by round are {SCORERS} and {ROUNDS}")
    found = read_inputs(params, study)
    scores, loops = score_lines(found), loop_lines(found)
    folder = layout.RESULTS / params.preset
    texts = {
        f"{study}.csv": _csv(scores, found.suite),
        f"loop_{study}.csv": _csv(loops),
        f"{study}.md": markdown(found, scores, loops),
    }
    for name, text in texts.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    plot_scores(found, scores, folder / f"{study}.png")
    if study == SCORERS:
        plot_weights(found, folder / f"weights_{study}.png")
    return folder


def _csv(lines: list[dict[str, Any]], suite: Suite | None = None) -> str:
    """The lines, counts without a point; columns that hold nothing are left out.

    But for those of the suite, where one is given: they were not run.
    """
    import pandas as pd

    frame = pd.DataFrame(lines).round(DECIMALS)
    frame = (not_run_cells(frame, suite) if suite else frame).dropna(axis="columns", how="all")
    for name in frame.columns.intersection(COUNTS):
        if not np.any(frame[name].dropna().to_numpy() % 1):  # seeds may differ
            frame[name] = frame[name].astype("Int64")
    return csv_text(frame)
