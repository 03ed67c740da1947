"""The plots of a study of curves: scores against size, weights of clusters as heat maps."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.report.curves.inputs import CurveStudy, Loop
from harness.report.curves.lines import weights
from harness.report.shared import plots
from harness.report.shared.runs import BASELINE
from harness.report.shared.study_table import Line, digits_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

# Okabe and Ito's, as in `shared.plots`; a second turn differs by the line, and marks by both.
COLOURS = (plots.BLUE, plots.ORANGE, "#009E73", "#CC79A7", "#56B4E9", plots.BLACK)
MARKS, DASHES = ("o", "^", "D", "v", "P", "X", "*"), ("-", ":", "-.")
APART = 0.008  # of the axis: the distance of marks of one size, so that deviations are seen
DOUBLINGS = 4  # the range of the heat map: a weight 16 times as large or as small


def plot_scores(study: CurveStudy, lines: list[Line], path: Path) -> None:
    """A line a selection, its headline by size with seed deviations; the Vendi score beside it."""
    head = study.suite.column(study.suite.headline)
    label = f"{head.label} in percent" if digits_of(study.suite, head) == 1 else head.label
    shown = [(head.name, label), ("vendi_score", "Vendi score of the subset")]
    figure = plots.new_figure(11, 4.4)
    panels = figure.subplots(1, len(shown))
    for axes, (name, label) in zip(panels, shown, strict=True):
        _curves(axes, lines, name)
        axes.set_xlabel("instances trained on")
        axes.set_ylabel(label)
        plots.tidy(axes, "both")
    better = "higher is better" if head.higher_is_better else "lower is better"
    plots.name_panel(panels[0], f"Mean over seeds ± standard deviation ({better})")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    plots.save_picture(figure, path)


def _curves(axes: "Axes", lines: list[Line], name: str) -> None:
    names = list(dict.fromkeys(line["selection"] for line in lines))
    sizes = [line["rows"] for line in lines]
    step = APART * ((max(sizes) - min(sizes)) or 1)
    others = [one for one in names if one != BASELINE]
    for place, selection in enumerate(names):
        mine = [line for line in lines if line["selection"] == selection]
        x = np.array([line["rows"] for line in mine]) + step * (place - (len(names) - 1) / 2)
        y = [line[name] for line in mine]
        spread = np.nan_to_num([line[f"{name}_sd"] for line in mine])  # none for one seed
        style: dict[str, Any] = {"color": plots.GREY, "ls": "--", "marker": "s"}
        if selection != BASELINE:
            turn, i = divmod(others.index(selection), len(COLOURS))
            mark = MARKS[others.index(selection) % len(MARKS)]
            style = {"color": COLOURS[i], "ls": DASHES[turn % len(DASHES)], "marker": mark}
        axes.errorbar(x, y, yerr=spread, lw=1.4, elinewidth=1, capsize=2.5, ms=6, **style)
        axes.plot([], [], lw=1.4, ms=6, label=selection, **style)  # the legend: without bars
    axes.set_xticks(sorted(set(sizes)), [f"{size:,.0f}" for size in sorted(set(sizes))])


def plot_weights(study: CurveStudy, lines: list[Line], path: Path) -> None:
    """A heat map a selection: how each cluster's weight differs from that of the first round.

    Clusters are in the order of their planted noise, which a strip below shows, so that maps of one
    clustering compare; where nothing is planted, in the order of the last round's weights.
    """
    loops = study.weighed
    heights = [loop.count + (1 if loop.noise is None else 2) for loop in loops]
    figure = plots.new_figure(10, 1 + 0.32 * sum(heights) + 0.3 * len(loops))
    panels = figure.subplots(len(loops), 1, squeeze=False, height_ratios=heights).ravel()
    most = float(np.clip(max(np.abs(_changes(loop)).max() for loop in loops), 1, DOUBLINGS))
    spread: dict[str, list[float]] = {}
    for line in (line for line in lines if "effective_clusters" in line):
        spread.setdefault(line["selection"], []).append(line["effective_clusters"])
    maps = [
        _map(axes, loop, spread[loop.name], most) for axes, loop in zip(panels, loops, strict=True)
    ]
    panels[-1].set_xlabel(_below(loops), fontsize=9)
    bar = figure.colorbar(maps[-1], ax=list(panels), extend="both", pad=0.01, aspect=30)
    ticks = [power for power in range(-DOUBLINGS, DOUBLINGS + 1) if abs(power) <= most]
    names = [f"× {2**t}" if t > 0 else f"÷ {2**-t}" if t < 0 else "same" for t in ticks]
    bar.set_ticks(ticks, labels=names)
    bar.set_label("weight of a cluster, against round 1", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    plots.save_figure(figure, path)  # a palette would merge the colours of the rare heavy clusters


def _changes(loop: Loop) -> np.ndarray:
    """Doublings of clusters' weights since the first round, of means over seeds: (rounds, k)."""
    mean = weights(loop).mean(axis=0)
    known = mean[0] > 0  # an empty cluster has no weight, and gets none
    ratio = np.divide(mean, mean[0], out=np.ones_like(mean), where=known)
    return np.log2(np.maximum(ratio, 2.0**-40))


def _map(axes: "Axes", loop: Loop, spread: list[float], most: float) -> "QuadMesh":
    changes = _changes(loop)
    rounds, k = changes.shape
    key = -weights(loop).mean(axis=0)[-1] if loop.noise is None else loop.noise
    order = np.argsort(key, kind="stable")
    x, y = np.arange(k + 1) + 0.5, np.arange(rounds + 1) + 0.5
    # One scale for all maps; larger changes get the darkest shade.
    drawn = axes.pcolormesh(x, y, changes[:, order], cmap="PuOr_r", vmin=-most, vmax=most)
    names = [f"round {i}" for i in range(1, rounds + 1)]
    if loop.noise is not None:
        strip = np.array([rounds + 0.6, rounds + 1.5])
        axes.pcolormesh(x, strip, loop.noise[order][None], cmap="Greys", vmin=0, vmax=1)
        names.append("planted noise")
    axes.set_ylim(rounds + (0.5 if loop.noise is None else 1.5), 0.5)
    axes.set_yticks([*range(1, len(names) + 1)], names, fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[:].set_visible(False)
    numbers = " → ".join(f"{value:.1f}" for value in spread)
    seeds = f"mean of {len(loop.seeds)} seeds" if len(loop.seeds) > 1 else "one seed"
    plots.name_panel(axes, f"{loop.name}: effective number of clusters {numbers} of {k} ({seeds})")
    return drawn


def _below(loops: list[Loop]) -> str:
    if all(loop.noise is None for loop in loops):
        return "clusters, in each map in the order of their weight in the last round"
    return "clusters by their share of planted noise: white has none, black is all noise"
