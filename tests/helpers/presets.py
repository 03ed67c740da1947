"""The whole params file of each preset, as `make preset` writes it."""

import tempfile
from functools import cache
from pathlib import Path

from pipeline.make.preset import preset_text

ROOT = Path(__file__).resolve().parents[2]
FOLDER = tempfile.TemporaryDirectory(prefix="presets.")


@cache
def preset_file(name: str) -> Path:
    """A file of the preset's params, which no test may change."""
    path = Path(FOLDER.name) / f"{name}.yaml"
    path.write_text(preset_text(ROOT, name), encoding="utf-8")
    return path
