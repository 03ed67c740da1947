"""The plot of differences over worlds."""

from pathlib import Path

import numpy as np

from harness.report.shared import plots
from harness.report.worlds.lines import WorldTable
from harness.statistics.differences import ALPHA


def plot_worlds(table: WorldTable, path: Path) -> None:
    """Each row's difference in every world, its mean with interval, and that of a new world."""
    head = table.suite.column(table.suite.headline)
    lines = [line for line in reversed(table.lines) if line["selection"] != table.baseline]
    figure = plots.new_figure(7.5, 1.6 + 0.6 * len(lines))
    axes = figure.subplots()
    for place, line in enumerate(lines):
        colour = plots.BLUE if line["kind"] == "selection" else plots.GREY
        gaps = [line[f"{world}_diff"] for world in table.worlds]
        axes.plot(gaps, np.full(len(gaps), place - 0.25), "o", color=colour, ms=4, alpha=0.6)
        axes.plot([line["new_low"], line["new_high"]], [place] * 2, "|-", color=colour, lw=0.9)
        axes.plot([line["diff_low"], line["diff_high"]], [place] * 2, color=colour, lw=3)
        face = colour if line["p"] < ALPHA else "white"
        axes.plot([line["diff"]], [place], "o", color=colour, ms=7, mfc=face)
    axes.axvline(0, color=plots.ORANGE, lw=1, ls="--", zorder=0)
    axes.set_yticks(range(len(lines)), [line["selection"] for line in lines])
    axes.set_ylim(-0.6, len(lines) - 0.4)
    unit = " in points" if table.digits == 1 else ""
    better = "higher is better" if head.higher_is_better else "lower is better"
    axes.set_xlabel(f"{head.label}, difference from {table.baseline}{unit} ({better})")
    shown = "Mean over worlds; thick: 95% interval; thin: that of a world not seen; small dots: "
    plots.name_panel(axes, f"{shown}each world\nfilled: p (Holm) < {ALPHA:g}")
    plots.tidy(axes, "x")
    plots.save_figure(figure, path)
