"""The plots of a study by round: scores against size, and the weights of clusters as heat maps."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.report.curves.inputs import CurveStudy, Loop
from harness.report.curves.loops import weights
from harness.report.shared.plots import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    new_figure,
    save_figure,
    save_picture,
    tidy,
)
from harness.report.shared.runs import BASELINE
from harness.report.shared.text_tables import digits_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's, as in `shared.plots`; a second turn differs by the line, and marks by both.
COLOURS = (BLUE, ORANGE, "#009E73", "#CC79A7", "#56B4E9", BLACK)
MARKS, DASHES = ("o", "^", "D", "v", "P", "X", "*"), ("-", ":", "-.")
APART = 0.008  # of the axis: how far marks of one size stand apart, so that deviations are seen
DOUBLINGS = 4  # and halvings of a weight that the heat map tells apart


def plot_scores(found: CurveStudy, lines: list[dict[str, Any]], path: Path) -> None:
    """A line a selection, its headline by size with seed deviations; the Vendi score beside it."""
    head = found.suite.column(found.suite.headline)
    label = f"{head.label} in percent" if digits_of(found.suite, head) == 1 else head.label
    shown = [(head.name, label), ("vendi_score", "Vendi score of the subset")]
    figure = new_figure(11, 4.4)
    panels = figure.subplots(1, len(shown))
    for axes, (name, label) in zip(panels, shown, strict=True):
        _curves(axes, lines, name)
        axes.set_xlabel("instances trained on")
        axes.set_ylabel(label)
        tidy(axes, "both")
    better = "higher is better" if head.higher_is_better else "lower is better"
    panels[0].set_title(f"Mean over seeds ± standard deviation ({better})", fontsize=9, loc="left")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    save_picture(figure, path)


def _curves(axes: "Axes", lines: list[dict[str, Any]], name: str) -> None:
    names = list(dict.fromkeys(line["selection"] for line in lines))
    sizes = [line["rows"] for line in lines]
    step = APART * ((max(sizes) - min(sizes)) or 1)
    others = [one for one in names if one != BASELINE]
    for place, selection in enumerate(names):
        mine = [line for line in lines if line["selection"] == selection]
        x = np.array([line["rows"] for line in mine]) + step * (place - (len(names) - 1) / 2)
        y = [line[name] for line in mine]
        spread = np.nan_to_num([line[f"{name}_sd"] for line in mine])  # none for one seed
        style: dict[str, Any] = {"color": GREY, "ls": "--", "marker": "s"}
        if selection != BASELINE:
            turn, i = divmod(others.index(selection), len(COLOURS))
            mark = MARKS[others.index(selection) % len(MARKS)]
            style = {"color": COLOURS[i], "ls": DASHES[turn % len(DASHES)], "marker": mark}
        axes.errorbar(x, y, yerr=spread, lw=1.4, elinewidth=1, capsize=2.5, ms=6, **style)
        axes.plot([], [], lw=1.4, ms=6, label=selection, **style)  # the legend: without bars
    axes.set_xticks(sorted(set(sizes)), [f"{size:,.0f}" for size in sorted(set(sizes))])


def plot_weights(found: CurveStudy, path: Path) -> None:
    """A heat map a selection: how each cluster's weight differs from that of the first round.

    Clusters stand in the order of their planted noise, which a strip below shows, so that the maps
    of one clustering compare; where nothing is planted, in that of the last round's weight.
    """
    loops = found.weighed
    heights = [loop.count + (1 if loop.noise is None else 2) for loop in loops]
    figure = new_figure(10, 1 + 0.32 * sum(heights) + 0.3 * len(loops))
    panels = figure.subplots(len(loops), 1, squeeze=False, height_ratios=heights).ravel()
    most = float(np.clip(max(np.abs(_changes(loop)).max() for loop in loops), 1, DOUBLINGS))
    drawn = None
    for axes, loop in zip(panels, loops, strict=True):
        drawn = _map(axes, loop, most)
    panels[-1].set_xlabel(_below(loops), fontsize=9)
    if drawn is not None:
        bar = figure.colorbar(drawn, ax=list(panels), extend="both", pad=0.01, aspect=30)
        ticks = [power for power in range(-DOUBLINGS, DOUBLINGS + 1) if abs(power) <= most]
        names = [f"× {2**t}" if t > 0 else f"÷ {2**-t}" if t < 0 else "same" for t in ticks]
        bar.set_ticks(ticks, labels=names)
        bar.set_label("weight of a cluster, against round 1", fontsize=9)
        bar.ax.tick_params(labelsize=8)
    save_figure(figure, path)  # a palette would merge the colours of the rare heavy clusters


def _changes(loop: Loop) -> np.ndarray:
    """Doublings of clusters' weights since the first round, of means over seeds: (rounds, k)."""
    mean = weights(loop).mean(axis=0)
    known = mean[0] > 0  # an empty cluster has no weight, and gets none
    ratio = np.divide(mean, mean[0], out=np.ones_like(mean), where=known)
    return np.log2(np.maximum(ratio, 2.0**-40))


def _map(axes: "Axes", loop: Loop, most: float) -> Any:  # noqa: ANN401  (matplotlib's mesh)
    changes, each = _changes(loop), weights(loop)
    rounds, k = changes.shape
    key = -each.mean(axis=0)[-1] if loop.noise is None else loop.noise
    order = np.argsort(key, kind="stable")
    edges = np.arange(k + 1) + 0.5
    # One scale for all maps; what has changed by more is as dark as can be.
    drawn = axes.pcolormesh(
        edges,
        np.arange(rounds + 1) + 0.5,
        changes[:, order],
        cmap="PuOr_r",
        vmin=-most,
        vmax=most,
    )
    names = [f"round {i}" for i in range(1, rounds + 1)]
    if loop.noise is not None:
        strip = np.array([rounds + 0.6, rounds + 1.5])
        axes.pcolormesh(edges, strip, loop.noise[order][None], cmap="Greys", vmin=0, vmax=1)
        names.append("planted noise")
    axes.set_ylim(rounds + (0.5 if loop.noise is None else 1.5), 0.5)
    axes.set_yticks([*range(1, len(names) + 1)], names, fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[:].set_visible(False)
    spread = " → ".join(f"{value:.1f}" for value in _effective(each))
    seeds = f"mean of {len(each)} seeds" if len(each) > 1 else "one seed"
    axes.set_title(
        f"{loop.name}: effective number of clusters {spread} of {k} ({seeds})",
        fontsize=9,
        loc="left",
    )
    return drawn


def _effective(each: np.ndarray) -> list[float]:
    from harness.feedback.weights import effective_clusters

    spread = [[effective_clusters(one) for one in seed] for seed in each]
    return np.mean(spread, axis=0).tolist()


def _below(loops: list[Loop]) -> str:
    if all(loop.noise is None for loop in loops):
        return "clusters, in each map in the order of their weight in the last round"
    return "clusters by their share of planted noise: white has none, black is all noise"
