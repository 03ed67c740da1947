"""The plots of a study by round: scores against size, and the weights of clusters as heat maps."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.report.plots import BLACK, BLUE, GREY, ORANGE, new_figure, save_figure, tidy
from harness.report.reading import BASELINE
from harness.report.render import digits_of
from harness.round_report.loops import MOSTLY, weights
from harness.round_report.reading import Inputs, Loop
from harness.selection_report.pictures import save_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LogNorm

# Okabe and Ito's, as in harness.report.plots; a second turn differs by the line, and marks by both.
COLOURS = (BLUE, ORANGE, "#009E73", "#CC79A7", "#56B4E9", BLACK)
MARKS, DASHES = ("o", "^", "D", "v", "P", "X", "*"), ("-", ":", "-.")
APART = 0.008  # of the axis: how far marks of one size stand apart, so that deviations are seen
DECADES = 2.5  # of weight that the heat map tells apart


def plot_scores(found: Inputs, lines: list[dict[str, Any]], path: Path) -> None:
    """A line a selection, its headline by size with seed deviations; the Vendi score beside it."""
    head = found.suite.column(found.suite.headline)
    shown = [(head.name, head.label)]
    if digits_of(found.suite, head) == 1:
        shown = [(head.name, f"{head.label} in percent")]
    if found.vendi:
        shown.append(("vendi_score", "Vendi score of the subset"))
    figure = new_figure(7.5 if len(shown) == 1 else 11, 4.4)
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
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


def plot_weights(found: Inputs, path: Path) -> None:
    """A heat map a selection: the weights its rounds drew by, clusters from heavy to light.

    Clusters are in the order of the last round's weight, each selection's its own; those of mostly
    planted noise are marked.
    """
    loops = [loop for loop in found.loops if loop.weighed]
    rounds = sum(loop.count for loop in loops)
    figure = new_figure(10, 0.9 + 1.05 * len(loops) + 0.24 * rounds)
    heights = [1.5 + loop.count for loop in loops]
    panels = figure.subplots(len(loops), 1, squeeze=False, height_ratios=heights).ravel()
    norm = _norm(loops)
    drawn = None
    for axes, loop in zip(panels, loops, strict=True):
        drawn = _map(axes, loop, norm)
    panels[-1].set_xlabel(_below(loops), fontsize=9)
    if drawn is not None:
        bar = figure.colorbar(drawn, ax=list(panels), extend="min", pad=0.01, aspect=30)
        ticks = _ticks(norm)
        bar.set_ticks(ticks, labels=[f"{100 * tick:g}%" for tick in ticks])
        bar.minorticks_off()
        bar.set_label("weight of a cluster", fontsize=9)
        bar.ax.tick_params(labelsize=8)
    save_figure(figure, path)  # a palette would merge the colours of the rare heavy clusters


def _norm(loops: list[Loop]) -> "LogNorm":
    """One scale for all maps; a cluster that has all but lost its weight is as dark as can be."""
    from matplotlib.colors import LogNorm

    every = np.concatenate([weights(loop).mean(axis=0).ravel() for loop in loops])
    top, least = float(every.max()), float(every[every > 0].min())
    return LogNorm(max(min(least, 0.99 * top), top / 10**DECADES), top)


def _ticks(norm: "LogNorm") -> list[float]:
    """Round numbers of each power of ten within the scale, more of them on a short one."""
    low, high = norm.vmin or 0, norm.vmax or 1
    steps = (1, 2, 5) if high > 10 * low else (1, 1.5, 2, 3, 4, 6, 8)
    every = [step * 10.0**power for power in range(-9, 1) for step in steps]
    return [tick for tick in every if low <= tick <= high]


def _map(axes: "Axes", loop: Loop, norm: "LogNorm") -> Any:  # noqa: ANN401  (matplotlib's mesh)
    each = weights(loop)
    mean = each.mean(axis=0)
    order = np.argsort(-mean[-1], kind="stable")
    rounds, k = mean.shape
    drawn = axes.pcolormesh(
        np.arange(k + 1) + 0.5,
        np.arange(rounds + 1) + 0.5,
        np.maximum(mean[:, order], norm.vmin or 0),
        cmap="cividis",
        norm=norm,
    )
    axes.set_ylim(rounds + (1.3 if loop.noise is not None else 0.5), 0.5)
    axes.set_yticks(range(1, rounds + 1), [f"round {i}" for i in range(1, rounds + 1)], fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[:].set_visible(False)
    if loop.noise is not None:
        noisy = np.flatnonzero(loop.noise[order] > MOSTLY) + 1
        size = float(np.clip(300 / k, 2, 5))
        axes.plot(noisy, np.full(len(noisy), rounds + 0.9), "^", color=ORANGE, ms=size)
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
    text = "clusters, in each map in the order of their weight in the last round"
    if any(loop.noise is not None for loop in loops):
        text += f"; triangles: more than {MOSTLY:.0%} planted noise"
    return text
