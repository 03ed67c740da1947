"""The plot of a study of clusterings: what k does, and the silhouette against the headline."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.report.clusters.inputs import ClusterStudy
from harness.report.shared import plots
from harness.report.shared.clusterings import POOR
from harness.report.shared.study_table import Line, digits_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's, as in `shared.plots`.
COLOURS = (plots.BLUE, plots.ORANGE, "#009E73", "#CC79A7", "#56B4E9", plots.BLACK)
MARKS = ("o", "^", "D", "v", "P", "X")


def plot_clusters(table: ClusterStudy, path: Path) -> None:
    """Headline, silhouette and share of poor clusters over k; silhouette against headline."""
    head = table.suite.column(table.suite.headline)
    unit = " in percent" if digits_of(table.suite, head) == 1 else ""
    labels = {head.name: f"{head.label}{unit}", "silhouette": "silhouette (cosine)"}
    labels["poor"] = f"clusters of mean quality < {POOR}"
    if not table.quality:
        del labels["poor"]
    figure = plots.new_figure(3.4 * (len(labels) + 1), 3.9)
    panels = figure.subplots(1, len(labels) + 1)
    for axes, (name, label) in zip(panels, labels.items(), strict=False):
        _over_k(axes, table, name)
        axes.set_ylabel(label)
    _against(panels[-1], table, head.name)
    panels[-1].set_xlabel(labels["silhouette"])
    panels[-1].set_ylabel(labels[head.name])
    better = "higher is better" if head.higher_is_better else "lower is better"
    plots.name_panel(panels[0], f"Mean over seeds ± deviation\n({better})")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    plots.save_picture(figure, path)


def _styles(table: ClusterStudy) -> dict[str, dict[str, Any]]:
    return {
        name: {"color": COLOURS[i % len(COLOURS)], "marker": MARKS[i % len(MARKS)], "ms": 6}
        for i, name in enumerate(table.clustered)
    }


def _over_k(axes: "Axes", table: ClusterStudy, name: str) -> None:
    styles = _styles(table)
    for embedding, lines in table.clustered.items():
        _curve(axes, lines, name, styles[embedding], embedding)
    ks = sorted({int(line["k"]) for lines in table.clustered.values() for line in lines})
    axes.set_xscale("log", base=2)
    axes.set_xticks(ks, [str(k) for k in ks], fontsize=8, rotation=45 if len(ks) > 5 else 0)
    axes.minorticks_off()
    axes.set_xlabel("number of clusters (k)")
    if name == "poor":
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
    plots.tidy(axes, "both")


def _curve(
    axes: "Axes", lines: Sequence[Line], name: str, style: dict[str, Any], label: str
) -> None:
    # Several selections of one k are points above each other, without a line.
    ks = [line["k"] for line in lines]
    joined = "-" if len(set(ks)) == len(ks) else ""
    spread = [line.get(f"{name}_sd", np.nan) for line in lines]
    axes.errorbar(
        ks,
        [line[name] for line in lines],
        yerr=np.nan_to_num(spread),
        ls=joined,
        lw=1.2,
        elinewidth=1,
        capsize=2.5,
        label=label,
        **style,
    )


def _against(axes: "Axes", table: ClusterStudy, head: str) -> None:
    styles = _styles(table)
    for embedding, lines in table.clustered.items():
        at = sorted((line["silhouette"], line[head], line["k"]) for line in lines)
        axes.plot([x for x, _, _ in at], [y for _, y, _ in at], ls="", **styles[embedding])
        for i, (x, y, k) in enumerate(at):  # below and above by turns: neighbours do not collide
            off = (4, 3) if i % 2 else (4, -9)
            axes.annotate(f"{k:.0f}", (x, y), off, textcoords="offset points", fontsize=7)
    plots.name_panel(axes, "Each point: a clustering, with its k")
    axes.margins(0.12)
    plots.tidy(axes, "both")
