"""Plots: readable without colour, colours from Okabe and Ito's set for the colour-blind."""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness.common.files import replacing
from harness.report.shared.runs import BASELINE, Row
from harness.report.shared.statistics import ALPHA
from harness.report.shared.study_table import NOT_RUN, StudyTable
from harness.report.shared.text_tables import digits_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


PALETTE = 48  # colours of a file


def save_picture(figure: "Figure", path: Path) -> None:
    """Write the figure as PNG with a palette, a quarter of the size; or leave the old one."""
    from PIL import Image

    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=140)
    with Image.open(drawn) as image, replacing(path) as temporary:
        image.convert("RGB").quantize(PALETTE).save(temporary, format="png", optimize=True)


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
    """The table's headline and its difference from random, row by row, with the same intervals."""
    suite = table.suite
    head = suite.column(suite.headline)
    lines = list(reversed(table.lines))
    rows = list(reversed(table.rows))
    compared = any(np.isfinite(line["diff"]) for line in lines)
    figure = new_figure(9.5 if compared else 6.5, 1.5 + 0.4 * len(rows))
    panels = figure.subplots(1, 1 + compared, sharey=True, squeeze=False)[0]
    for place, (row, line) in enumerate(zip(rows, lines, strict=True)):
        colour = BLUE if line["kind"] == "selection" else GREY
        _scores(panels[0], place, row.scores(head.name), colour)
        if compared:
            _difference(panels[1], place, line, colour)
    panels[0].set_yticks(range(len(rows)), [_tick(row) for row in rows])
    panels[0].set_ylim(-0.6, len(rows) - 0.4)
    unit = " in percent" if digits_of(suite, head) == 1 else ""
    better = "higher is better" if head.higher_is_better else "lower is better"
    panels[0].set_xlabel(f"{head.label}{unit} ({better})")
    panels[0].set_title("Mean over seeds; ticks: each seed", fontsize=9, loc="left")
    if compared:
        panels[1].axvline(0, color=ORANGE, lw=1, ls="--", zorder=0)
        panels[1].set_xlabel(f"difference from {BASELINE}{' in points' if unit else ''}")
        told = f"95% interval of each row alone; filled: p (Holm) < {ALPHA:g}"
        panels[1].set_title(told, fontsize=9, loc="left")
    for axes in panels:
        tidy(axes, "x")
    save_figure(figure, path)


def _scores(axes: "Axes", place: int, scores: list[float], colour: str) -> None:
    if not np.isfinite(scores).all():
        axes.annotate(NOT_RUN, (0.5, place), xycoords=("axes fraction", "data"), ha="center")
        return
    axes.plot([np.mean(scores)], [place], "o", color=colour, ms=6)
    if len(scores) > 1:
        axes.plot(scores, np.full(len(scores), place - 0.27), "|", color=colour, ms=7, mew=1.4)


def _difference(axes: "Axes", place: int, line: dict[str, Any], colour: str) -> None:
    low, high = line["diff_low"], line["diff_high"]
    if not np.isfinite(line["diff"]):
        return
    axes.plot([low, high], [place, place], color=colour, lw=2)
    # References are not tested; a dot of theirs is open as the table gives them no p.
    apart = line["p"] < ALPHA
    axes.plot([line["diff"]], [place], "o", color=colour, ms=6, mfc=colour if apart else "white")


def _tick(row: Row) -> str:
    return f"{row.name}  ({len(row.seeds)} seed{'s' if len(row.seeds) > 1 else ''})"


def tidy(axes: "Axes", grid: Literal["x", "y", "both"]) -> None:
    """A light grid behind the marks, and no box around them."""
    axes.grid(axis=grid, color="#DDDDDD", lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
