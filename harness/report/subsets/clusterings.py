"""Every clustering that was tried: silhouette, elbow, and how many clusters are poor."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.clustering.choose_k import at_the_end
from harness.params.params import Params
from harness.report.shared.clusterings import POOR, clustering_line
from harness.report.shared.plots import BLUE, ORANGE, new_figure, save_picture, tidy

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

PANELS = (
    ("silhouette", "silhouette (cosine)", "higher: clusters are further apart"),
    ("inertia", "inertia", "elbow: where more clusters stop paying"),
    ("poor", f"clusters of mean quality < {POOR}", ""),
)


def clustering_facts(params: Params, quality: np.ndarray | None) -> "pd.DataFrame":
    """One line for each k of params, ascending, with ``poor`` and which k is ``best``.

    ``poor`` is the share of clusters of mean quality under 0.3, NaN without a quality (n,) on a
    0-1 scale; ``best`` marks the k of best silhouette, the smallest of equals.
    """
    import pandas as pd

    embedding = params.defaults.embedding
    lines = [clustering_line(embedding, k, quality) for k in sorted(params.cluster.k)]
    frame = pd.DataFrame(lines).astype({"silhouette": "float64", "poor": "float64"})
    scores = frame["silhouette"].fillna(-np.inf).to_numpy()
    best = scores.argmax() if np.isfinite(scores).any() else -1
    return frame.assign(best=np.arange(len(frame)) == best)


def best_at_the_end(frame: "pd.DataFrame") -> int | None:
    """The best k where it is the largest, so that more clusters may be better still."""
    silhouettes = dict(zip(frame["k"], frame["silhouette"], strict=True))
    known = {k: value for k, value in silhouettes.items() if np.isfinite(value)}
    return next((int(k) for k in frame.loc[frame["best"], "k"] if at_the_end(k, known)), None)


def plot_clusterings(frame: "pd.DataFrame", quality: str | None, path: Path) -> None:
    """Three panels over k: silhouette, inertia, and the share of poor clusters."""
    figure = new_figure(10.5, 3.3)
    panels = figure.subplots(1, 3, sharex=True)
    for axes, (name, title, below) in zip(panels, PANELS, strict=True):
        _curve(axes, frame, name)
        axes.set_title(title, fontsize=10, loc="left")
        if name == "poor":
            top = max(0.1, 1.15 * float(np.nan_to_num(frame["poor"].to_numpy()).max()))
            axes.set_ylim(-0.05 * top, top)
            axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
            below = f"quality: {quality}" if quality else "no scorer: not measured"
        axes.set_xlabel(f"k\n{below}", fontsize=8)
    save_picture(figure, path)


def _curve(axes: "Axes", frame: "pd.DataFrame", name: str) -> None:
    ks, values = frame["k"].to_numpy(), frame[name].to_numpy(dtype=np.float64)
    known = np.isfinite(values)
    axes.plot(ks[known], values[known], "-o", color=BLUE, ms=5, lw=1.2)
    for i in np.flatnonzero(frame["best"].to_numpy() & known):
        axes.axvline(float(ks[i]), color=ORANGE, lw=0.8, ls="--", zorder=0)
        axes.plot(ks[i], values[i], "D", color=ORANGE, ms=10, mfc="none", mew=1.8)
        if name == "silhouette":
            right = not known[:i].any()  # nothing to the left of it, so no room there
            side, off = ("left", 10) if right else ("right", -10)
            style: dict[str, Any] = {"color": ORANGE, "fontsize": 9, "ha": side, "va": "center"}
            at = (ks[i], values[i])
            axes.annotate(f"best: k = {ks[i]}", at, (off, 0), textcoords="offset points", **style)
    axes.set_xscale("log", base=2)
    axes.margins(0.08, 0.1)
    axes.set_xticks(ks, [str(k) for k in ks], fontsize=8, rotation=45 if len(ks) > 7 else 0)
    axes.minorticks_off()
    axes.tick_params(axis="y", labelsize=8)
    tidy(axes, "both")
