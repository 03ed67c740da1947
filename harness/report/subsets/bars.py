"""The main measures of every selection as bars, one panel a measure."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.report.shared import plots
from harness.report.shared.columns import COVERAGE, MEAN, column, value_text
from harness.report.shared.runs import BASELINE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

MAIN = (
    *("tokens", "top_overlap", *COVERAGE, "cluster_entropy", "clusters_reached"),
    *("noise_share", "skills_reached", "seconds"),
)

NUMBER: dict[str, Any] = {"textcoords": "offset points", "fontsize": 7, "va": "center"}


def plot_bars(frame: "pd.DataFrame", scorer: str | None, path: Path) -> None:
    """A panel for each main measure that is known: how far every row is from random.

    Args:
        frame: one row a selection and seed, as in the CSV.
        scorer: the scorer whose mean is shown, if any.
        path: the PNG.

    Bars start at the mean of random, or at 0 without it: most measures are so close together that
    bars from 0 all look alike. The axis ends a little beyond the farthest selection, since a
    reference may take the whole pool.
    """
    listed = [f"{MEAN}{scorer}", *MAIN] if scorer else list(MAIN)
    names = [name for name in listed if name in frame and bool(frame[name].notna().any())]
    rows = list(dict.fromkeys(frame["selection"]))
    start = f"Bars start at the mean of {BASELINE} (dashed)" if BASELINE in rows else "Bars"
    caption = (
        f"{start} and end at each row's mean, which is printed. Ticks: seeds. Blue: selections; "
        "grey: references, an arrow where the bar goes on."
    )
    figure, panels = plots.panel_grid(len(names), 12, 0.75 + 0.21 * len(rows), 0.6, caption)
    for axes, name in zip(panels, names, strict=True):
        _panel(axes, frame, name, rows)
    plots.save_picture(figure, path)


def _panel(axes: "Axes", frame: "pd.DataFrame", name: str, rows: list[str]) -> None:
    scale = 100 if column(name).share else 1
    values = {row: scale * frame.loc[frame["selection"] == row, name].dropna() for row in rows}
    selections = set(frame.loc[frame["kind"] == "selection", "selection"]) or set(rows)
    start = float(values[BASELINE].mean()) if len(values.get(BASELINE, ())) else 0.0
    shown = np.concatenate([values[row] for row in rows if row in selections] + [[start]])
    low, high = float(shown.min()), float(shown.max())
    room = 0.36 * ((high - low) or abs(start) or 1.0)  # for the numbers
    axes.set_xlim(low - room, high + room)
    axes.axvline(start, color=plots.ORANGE, lw=1, ls="--", zorder=1)
    for place, row in enumerate(reversed(rows)):
        if len(values[row]):
            text = value_text(name, [float(values[row].mean()) / scale])
            colour = plots.BLUE if row in selections else plots.GREY
            _bar(axes, (place, start), values[row].tolist(), text, colour)
    plots.name_panel(axes, f"{column(name).label}{' (%)' if scale > 1 else ''}")
    axes.set_yticks(range(len(rows)), list(reversed(rows)), fontsize=8)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.tick_params(axis="x", labelsize=7)
    axes.locator_params(axis="x", nbins=5)
    plots.tidy(axes, "x")


def _bar(axes: "Axes", at: tuple[int, float], values: list[float], text: str, colour: str) -> None:
    """A bar from the common start to the mean over seeds, a tick for each seed, and the number."""
    place, start = at
    mean = float(np.mean(values))
    axes.barh(place, mean - start, left=start, height=0.66, color=colour, zorder=2)
    if beyond := _beyond(axes, mean, text):
        edge, text, side, off = beyond
        axes.annotate(text, (edge, place), (off, 0), color="white", ha=side, **NUMBER)
        return
    if len(values) > 1:
        axes.plot(values, [place] * len(values), "|", color=plots.BLACK, ms=5, mew=1)
    right = mean >= start
    end = max(mean, *values) if right else min(mean, *values)
    side, off = ("left", 4) if right else ("right", -4)
    axes.annotate(text, (end, place), (off, 0), ha=side, **NUMBER)


def _beyond(axes: "Axes", mean: float, text: str) -> tuple[float, str, str, int] | None:
    """Where in a bar that ends near or beyond the axis its number goes, and the text; or None."""
    low, high = axes.get_xlim()
    room = (high - low) / 8  # what a number takes
    if mean > high - room:
        return min(mean, high), f"{text} ▸" if mean > high else text, "right", -3
    if mean < low + room:
        return max(mean, low), f"◂ {text}" if mean < low else text, "left", 3
    return None
