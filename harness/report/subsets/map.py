"""A map of the pool: the embeddings' two main directions, and what each selection took."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.clustering.blocks import within_one
from harness.report.shared.plots import BLUE, GREY, ORANGE, name_panel, panel_grid, save_picture
from harness.report.subsets.inputs import SubsetStudy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import ListedColormap

CELLS, SHADES = 100, 5  # of the pool's density: cells a side, shades


def project(embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two principal components: places (n, 2), and their shares of the variance (2,).

    The sign of each makes its largest loading positive, so that the same embeddings always give the
    same map. Embeddings of one dimension have 0 for the second.
    """
    centred, exponent = within_one(embeddings - embeddings.mean(axis=0, dtype=np.float64))
    values, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    axes = vectors[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    shares = values[::-1][:2] / max(float(values.sum()), np.finfo(np.float64).tiny)
    missing = 2 - axes.shape[1]
    places = np.pad(np.ldexp(centred @ axes, exponent), ((0, 0), (0, missing)))
    return places, np.clip(np.pad(shares, (0, missing)), 0, 1)


def plot_map(study: SubsetStudy, path: Path) -> None:
    """One panel for the pool and one for each selection's first seed, all on the same axes."""
    places, shares = project(study.pool.embeddings)
    first = study.first_picks()
    # A subset that is the whole pool would repeat the first panel.
    shown = {name: picks for name, picks in first.items() if len(picks) < len(places)}
    noise = study.pool.noise
    faulty = np.zeros(len(places), dtype=bool) if noise is None else noise != "none"
    kinds = "blue dots: selected"
    if noise is not None:
        kinds += "; orange crosses: with a planted fault (in the first panel: all)"
    caption = (
        f"The embeddings' first two principal components ({shares[0]:.0%} and {shares[1]:.0%} of "
        f"the variance), the first seed of each row.\nGrey: the pool, darker where it is denser; "
        f"{kinds}."
    )
    marked = [("the pool", np.flatnonzero(faulty)), *shown.items()]
    figure, panels = panel_grid(len(marked), 8.4, 2.05, 0.5, caption, sharex=True)
    for axes, (name, picks) in zip(panels, marked, strict=True):
        _panel(axes, places, picks, faulty)
        size = len(picks) if name in first else len(places)
        name_panel(axes, f"{name} ({size:,})")
    save_picture(figure, path)


def _panel(axes: "Axes", places: np.ndarray, picks: np.ndarray, faulty: np.ndarray) -> None:
    low, high = places.min(axis=0), places.max(axis=0)
    room = 0.04 * np.where(high > low, high - low, 1)
    limits = np.column_stack([low - room, high + room])
    counts, x, y = np.histogram2d(places[:, 0], places[:, 1], bins=CELLS, range=limits)
    # Single points would hide how dense a large pool is. Shades by powers of four.
    shade = np.ceil(np.log(np.maximum(counts, 1)) / np.log(4)) + (counts > 0)
    axes.pcolormesh(x, y, shade.T, cmap=_greys(), vmin=0, vmax=SHADES)
    size = 2.0 if len(picks) <= 1000 else 1.2
    for rows, colour, mark, width, edge in (
        (picks[~faulty[picks]], BLUE, "o", size, 0),
        (
            picks[faulty[picks]],
            ORANGE,
            "x",
            2.0,
            0.3 * size,
        ),  # smaller ones would look like squares
    ):
        axes.plot(places[rows, 0], places[rows, 1], mark, color=colour, ms=width, mew=edge)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(GREY)
    axes.spines[:].set_linewidth(0.5)


def _greys() -> "ListedColormap":
    from matplotlib.colors import ListedColormap

    return ListedColormap([f"#{v:02X}{v:02X}{v:02X}" for v in (255, 222, 204, 186, 168, 150)])
