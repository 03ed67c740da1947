"""The plot of a table of scores."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.report.scores.table import StudyTable
from harness.report.shared import plots
from harness.report.shared.runs import Row
from harness.report.shared.study_table import NOT_RUN, Line, digits_of
from harness.statistics.differences import ALPHA

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_study(table: StudyTable, path: Path) -> None:
    """The table's headline and its difference from random, row by row, with the same intervals."""
    suite = table.suite
    head = suite.column(suite.headline)
    lines = list(reversed(table.lines))
    rows = list(reversed(table.rows))
    baseline = next(iter(table.baselines), "")
    compared = any(np.isfinite(line["diff"]) for line in lines)
    figure = plots.new_figure(9.5 if compared else 6.5, 1.5 + 0.4 * len(rows))
    panels = figure.subplots(1, 1 + compared, sharey=True, squeeze=False)[0]
    for place, (row, line) in enumerate(zip(rows, lines, strict=True)):
        colour = plots.BLUE if line["kind"] == "selection" else plots.GREY
        _scores(panels[0], place, row.scores(head.name), colour)
        if compared:
            _difference(panels[1], place, line, colour)
    panels[0].set_yticks(range(len(rows)), [_tick(row) for row in rows])
    panels[0].set_ylim(-0.6, len(rows) - 0.4)
    unit = " in percent" if digits_of(suite, head) == 1 else ""
    better = "higher is better" if head.higher_is_better else "lower is better"
    panels[0].set_xlabel(f"{head.label}{unit} ({better})")
    plots.name_panel(panels[0], "Mean over seeds; ticks: each seed")
    if compared:
        panels[1].axvline(0, color=plots.ORANGE, lw=1, ls="--", zorder=0)
        panels[1].set_xlabel(f"difference from {baseline}{' in points' if unit else ''}")
        shown = f"95% intervals; filled: p (Holm) < {ALPHA:g}"
        plots.name_panel(panels[1], shown)
    for axes in panels:
        axes.locator_params(axis="x", nbins=5)  # more labels of three decimals would touch
        plots.tidy(axes, "x")
    plots.save_figure(figure, path)


def _scores(axes: "Axes", place: int, scores: list[float], colour: str) -> None:
    if not np.isfinite(scores).all():
        axes.annotate(NOT_RUN, (0.5, place), xycoords=("axes fraction", "data"), ha="center")
        return
    axes.plot([np.mean(scores)], [place], "o", color=colour, ms=6)
    if len(scores) > 1:
        axes.plot(scores, np.full(len(scores), place - 0.27), "|", color=colour, ms=7, mew=1.4)


def _difference(axes: "Axes", place: int, line: Line, colour: str) -> None:
    if np.isfinite(line["diff"]):
        axes.plot([line["diff_low"], line["diff_high"]], [place, place], color=colour, lw=2)
        # References have no p: their dots are open.
        face = colour if line["p"] < ALPHA else "white"
        axes.plot([line["diff"]], [place], "o", color=colour, ms=6, mfc=face)


def _tick(row: Row) -> str:
    return f"{row.name}  ({len(row.seeds)} seed{'s' if len(row.seeds) > 1 else ''})"
