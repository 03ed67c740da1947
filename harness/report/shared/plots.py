"""Plots: readable without colour, colours from Okabe and Ito's set for the colour-blind."""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.common.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY, BLACK = "#0072B2", "#D55E00", "#6E6E6E", "#000000"
PALETTE = 48  # colours of a file
ACROSS = 4  # panels a row of a grid
# What matplotlib writes into a PNG beside the picture would change with its version.
NO_METADATA = {"Software": None}


def new_figure(width: float, height: float) -> "Figure":
    """A figure of its own canvas, whatever backend the user's environment names."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panel_grid(
    count: int, width: float, height: float, margin: float, caption: str, sharex: bool = False
) -> tuple["Figure", list["Axes"]]:
    """A figure of so many panels in rows of four, each ``height`` inches, below a caption."""
    down = -(-count // ACROSS)
    figure = new_figure(width, height * down + margin)
    panels = figure.subplots(down, ACROSS, squeeze=False, sharex=sharex, sharey=True)
    panels = panels.ravel().tolist()
    for axes in panels[count:]:
        axes.set_visible(False)
    figure.suptitle(caption, fontsize=9, x=0.01, ha="left")
    return figure, panels[:count]


def save_figure(figure: "Figure", path: Path) -> None:
    """Write the figure as PNG, or leave the old one as it was."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=140, metadata=NO_METADATA)


def save_picture(figure: "Figure", path: Path) -> None:
    """`save_figure` with a palette, a quarter of the size."""
    from PIL import Image

    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=140)
    with Image.open(drawn) as image, replacing(path) as temporary:
        image.convert("RGB").quantize(PALETTE).save(temporary, format="png", optimize=True)


def tidy(axes: "Axes", grid: Literal["x", "y", "both"]) -> None:
    """A light grid behind the marks, and no box around them."""
    axes.grid(axis=grid, color="#DDDDDD", lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def name_panel(axes: "Axes", title: str) -> None:
    """A small title above the panel, at its left edge."""
    axes.set_title(title, fontsize=9, loc="left")
