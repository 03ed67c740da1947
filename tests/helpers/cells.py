"""Cells of the grid: a held-out row, and the attempts to train."""

import json
from pathlib import Path

import pandas as pd

from harness.common import layout
from harness.common.schemas import HELDOUT, write_frame


def write_heldout() -> None:
    """Hold one row out."""
    turns = [{"role": "user", "content": "Say six."}, {"role": "assistant", "content": "six"}]
    row = {"id": "h", "row": 1, "prompt": "Say six.", "response": "six", "source": "own"}
    columns = [name for name, _ in HELDOUT.columns]
    frame = pd.DataFrame([row | {"messages": json.dumps(turns)}], columns=columns)
    write_frame(layout.HELDOUT_FILE, frame, HELDOUT)


def attempts() -> list[str]:
    """The lines of every attempt to train something."""
    paths = Path(".store/scratch/train").glob("*/attempts.log")
    return [line for path in paths for line in path.read_text().splitlines()]
