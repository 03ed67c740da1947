"""Writing plots as small files: they are kept in git."""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from harness.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PALETTE = 48  # colours of a file


def save_picture(figure: "Figure", path: Path) -> None:
    """Write the figure as PNG with a palette, a quarter of the size; or leave the old one."""
    from PIL import Image

    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=140)
    with Image.open(drawn) as image, replacing(path) as temporary:
        image.convert("RGB").quantize(PALETTE).save(temporary, format="png", optimize=True)
