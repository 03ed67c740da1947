"""Write a study of curves: tables, text, plots."""

from pathlib import Path
from typing import Any

import numpy as np

from harness.common import layout
from harness.common.files import replacing_folder
from harness.params.params import Params
from harness.report.curves.inputs import read_curve_study
from harness.report.curves.loops import loop_lines
from harness.report.curves.markdown import markdown
from harness.report.curves.plots import plot_scores, plot_weights
from harness.report.curves.scores import score_lines
from harness.report.shared.study_table import not_run_cells
from harness.report.shared.text_tables import csv_text
from harness.suites import Suite

DECIMALS = 6
COUNTS = ("rows", "clusters", "noisy_clusters")


def write_curves(params: Params, study: str) -> Path:
    """Write ``table.csv|md|png``, ``rounds.csv`` if a row has rounds, ``weights.png`` if weights.

    Scores by size and by round: table 7 and figure 2 of arXiv 2409.11378, and DiverseEvol (arXiv
    2311.08182) by round.

    Everything is worked out before the first file is written. Returns the folder. Raises
    InputError naming the file that is missing and the stage that makes it.
    """
    found = read_curve_study(params, study)
    scores, loops = score_lines(found), loop_lines(found)
    texts = {"table.csv": _csv(scores, found.suite), "table.md": markdown(found, scores, loops)}
    if loops:
        texts["rounds.csv"] = _csv(loops)
    with replacing_folder(layout.report_folder(params.preset, study)) as folder:
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        plot_scores(found, scores, folder / "table.png")
        if found.weighed:
            plot_weights(found, folder / "weights.png")
    return layout.report_folder(params.preset, study)


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
