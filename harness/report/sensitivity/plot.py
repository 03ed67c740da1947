"""The plot of the lab's proofs: the rows behind each claim, with its verdict."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.report.sensitivity.proofs import Level, Proof, Sensitivity
from harness.report.shared.plots import BLACK, BLUE, GREY, ORANGE, new_figure, save_figure, tidy
from harness.report.shared.runs import BASELINE
from harness.statistics.seeds import mean_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKS = {"none": "s", "random": "o", "oracle": "^", "full_clean": "D"}
DOSE_NAMES = {"noise": "share of noise in the subset", "coverage": "share of the skills reached"}


def plot_proofs(result: Sensitivity, path: Path) -> None:
    """Four panels on one scale: the rows, noise, coverage, and the seeds of random."""
    figure = new_figure(11, 3.6)
    axes = figure.subplots(1, 4, sharey=True)
    proofs = {proof.name: proof for proof in result.proofs}
    rows = [level for level in result.levels if level.part == "rows"]
    for place, level in enumerate(rows):
        _points(axes[0], place, level, MARKS.get(level.name, "o"), BLACK)
    axes[0].set_xticks(range(len(rows)), [level.name for level in rows], fontsize=8)
    axes[0].set_title(_title("gain, oracle", [proofs["gain"], proofs["oracle"]]), fontsize=9)
    for axis, (part, label) in zip(axes[1:3], DOSE_NAMES.items(), strict=True):
        levels = [level for level in result.levels if level.part == part]
        means = [float(np.mean(level.averages)) for level in levels]
        axis.plot([level.dose for level in levels], means, color=GREY, lw=1)
        for level in levels:
            _points(axis, level.dose, level, "o", BLUE if part == "coverage" else ORANGE)
        axis.set_xlabel(label)
        axis.set_title(_title(part, [proofs[part]]), fontsize=9)
    random = next(level for level in rows if level.name == BASELINE)
    axes[3].plot(range(len(random.averages)), random.averages, "o", color=BLACK, ms=5)
    axes[3].axhline(float(np.mean(random.averages)), color=GREY, lw=1, ls="--")
    axes[3].set_xlabel("random, by seed")
    sd = proofs["deviation"]
    axes[3].set_title(_title(f"sd {sd.value:.2f} [{sd.low:.2f}, {sd.high:.2f}]", [sd]), fontsize=9)
    head = result.suite.column(result.suite.headline)
    axes[0].set_ylabel(f"{head.label} in percent")
    for axis in axes:
        tidy(axis, "y")
    save_figure(figure, path)


def _title(text: str, proofs: list[Proof]) -> str:
    return f"{text}: {', '.join(proof.verdict for proof in proofs)}"


def _points(axes: "Axes", x: float, level: Level, mark: str, colour: str) -> None:
    """Seeds as small ticks, their mean with its interval."""
    mean = mean_interval(level.averages)
    if len(level.averages) > 1:
        axes.plot([x, x], [mean.low, mean.high], color=colour, lw=1.6)
        axes.plot([x] * len(level.averages), level.averages, "_", color=colour, ms=9)
    axes.plot([x], [mean.value], mark, color=colour, ms=6)
