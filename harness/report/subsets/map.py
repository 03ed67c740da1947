"""A map of the pool: the embeddings' two main directions, and what each selection took."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.clustering.blocks import within_one
from harness.report.shared.plots import BLUE, GREY, ORANGE, new_figure, save_picture
from harness.report.subsets.inputs import SubsetStudy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import ListedColormap

ACROSS = 4  # panels a row
CELLS, SHADES = 100, 5  # of the pool's density: cells a side, shades


def project(embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two principal components: places (n, 2), and the shares of the variance they hold (2,).

    The sign of each is the one that makes the largest of its loadings positive, so that the same
    embeddings always give the same map. A second component that is not there is 0.
    """
    centred, exponent = within_one(embeddings - embeddings.mean(axis=0, dtype=np.float64))
    values, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    axes = vectors[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    shares = values[::-1][:2] / max(float(values.sum()), np.finfo(np.float64).tiny)
    missing = 2 - axes.shape[1]
    places = np.pad(np.ldexp(centred @ axes, exponent), ((0, 0), (0, missing)))
    return places, np.clip(np.pad(shares, (0, missing)), 0, 1)


def plot_map(found: SubsetStudy, path: Path) -> None:
    """One panel for the pool and one for each selection's first seed, all on the same axes."""
    places, shares = project(found.pool.embeddings)
    first = found.first_picks()
    # A subset that is the whole pool would show the first panel again.
    shown = {name: picks for name, picks in first.items() if len(picks) < len(places)}
    down = -(-(len(shown) + 1) // ACROSS)
    figure = new_figure(8.4, 2.05 * down + 0.5)
    panels = figure.subplots(down, ACROSS, squeeze=False, sharex=True, sharey=True).ravel()
    noise = found.pool.noise
    faulty = np.zeros(len(places), dtype=bool) if noise is None else noise != "none"
    marked = [("the pool", np.flatnonzero(faulty)), *shown.items()]
    for axes, (name, picks) in zip(panels, marked, strict=False):
        _panel(axes, places, picks, faulty)
        size = len(picks) if name in first else len(places)
        axes.set_title(f"{name} ({size:,})", fontsize=9, loc="left")
    for axes in panels[len(marked) :]:
        axes.set_visible(False)
    kinds = "blue dots: chosen"
    if noise is not None:
        kinds += "; orange crosses: with a planted fault (in the first panel all of them)"
    figure.suptitle(
        f"The embeddings' first two principal components ({shares[0]:.0%} and {shares[1]:.0%} of "
        f"the variance), the first seed of each row.\nGrey: the pool, darker where it is denser; "
        f"{kinds}.",
        fontsize=9,
        x=0.01,
        ha="left",
    )
    save_picture(figure, path)


def _panel(axes: "Axes", places: np.ndarray, picks: np.ndarray, faulty: np.ndarray) -> None:
    low, high = places.min(axis=0), places.max(axis=0)
    room = 0.04 * np.where(high > low, high - low, 1)
    limits = np.column_stack([low - room, high + room])
    counts, x, y = np.histogram2d(places[:, 0], places[:, 1], bins=CELLS, range=limits)
    # Points drawn one by one would hide in a large pool how dense it is. Shades by powers of four.
    shade = np.ceil(np.log(np.maximum(counts, 1)) / np.log(4)) + (counts > 0)
    axes.pcolormesh(x, y, shade.T, cmap=_greys(), vmin=0, vmax=SHADES)
    size = 2.0 if len(picks) <= 1000 else 1.2
    for rows, colour, mark, edge in (
        (picks[~faulty[picks]], BLUE, "o", 0),
        (picks[faulty[picks]], ORANGE, "x", 0.6),
    ):
        axes.plot(places[rows, 0], places[rows, 1], mark, color=colour, ms=size, mew=edge)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(GREY)
    axes.spines[:].set_linewidth(0.5)


def _greys() -> "ListedColormap":
    from matplotlib.colors import ListedColormap

    return ListedColormap(
        ["#FFFFFF", *(f"#{v:02X}{v:02X}{v:02X}" for v in (222, 204, 186, 168, 150))]
    )
