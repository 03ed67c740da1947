"""Plots: readable without colour, colours from Okabe and Ito's set for the colour-blind."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.files import replacing
from harness.report.reading import BASELINE, Row
from harness.report.render import digits_of
from harness.report.statistics import mean_interval
from harness.report.table import StudyTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY, BLACK = "#0072B2", "#D55E00", "#6E6E6E", "#000000"
# What matplotlib writes into a PNG beside the picture would change with its version.
NO_METADATA = {"Software": None}


def new_figure(width: float, height: float) -> "Figure":
    """A figure of its own canvas, whatever backend the user's environment names."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: "Figure", path: Path) -> None:
    """Write the figure as PNG, or leave the old one as it was."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=140, metadata=NO_METADATA)


def plot_study(table: StudyTable, path: Path) -> None:
    """Headline of every row: its mean with a 95% t interval, and a tick for each seed."""
    suite = table.suite
    head = suite.column(suite.headline)
    figure = new_figure(7.5, 1.5 + 0.45 * len(table.rows))
    axes = figure.add_subplot()
    rows = list(reversed(table.rows))
    for place, row in enumerate(rows):
        _row_marks(axes, place, row.scores(head.name), row.name in table.params.every_selection)
    axes.set_yticks(range(len(rows)), [_tick(row) for row in rows])
    _baseline(axes, table)
    percent = digits_of(suite, head) == 1
    better = "higher is better" if head.higher_is_better else "lower is better"
    axes.set_xlabel(f"{head.label}{' in percent' if percent else ''} ({better})")
    axes.set_title(
        "Mean over seeds, 95% t interval; ticks: seeds; open diamond: one seed, no interval",
        fontsize=9,
        loc="left",
    )
    axes.set_ylim(-0.6, len(rows) - 0.4)
    tidy(axes, "x")
    save_figure(figure, path)


def _row_marks(axes: "Axes", place: int, scores: list[float], selection: bool) -> None:
    colour = BLUE if selection else GREY
    mean = mean_interval(scores)
    if len(scores) < 2:
        axes.plot([mean.value], [place], "D", color=colour, mfc="white", ms=7, mew=1.6)
        return
    axes.plot([mean.low, mean.high], [place, place], color=colour, lw=2)
    axes.plot(scores, np.full(len(scores), place - 0.24), "|", color=colour, ms=7, mew=1.4)
    axes.plot([mean.value], [place], "o", color=colour, ms=7)


def _tick(row: Row) -> str:
    return f"{row.name}  ({len(row.seeds)} seed{'s' if len(row.seeds) > 1 else ''})"


def _baseline(axes: "Axes", table: StudyTable) -> None:
    """A dashed line through the mean of random: what every selection is compared with."""
    named = [line for line in table.lines if line["selection"] == BASELINE]
    if named:
        value = float(named[0][table.suite.headline])
        axes.axvline(value, color=ORANGE, lw=1, ls="--", zorder=0)
        axes.annotate(
            BASELINE,
            (value, 1),
            (3, -3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            color=ORANGE,
            fontsize=8,
            va="top",
        )


def tidy(axes: "Axes", grid: Literal["x", "y", "both"]) -> None:
    """A light grid behind the marks, and no box around them."""
    axes.grid(axis=grid, color="#DDDDDD", lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
