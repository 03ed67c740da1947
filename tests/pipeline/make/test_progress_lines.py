"""What `make repro` says of the time left, by what stages say themselves."""

from pathlib import Path

import pytest

from pipeline.make.durations import Durations
from pipeline.make.progress_lines import Screen
from pipeline.make.runner import Graph

STAGE = "evaluate@random-s0"


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("evaluate: 1 of 2003, 0.0695/s, 28811 s left", 60),
        ("evaluate: 284 of 2003, 11/s, 156 s left", 156),
        ("evaluate: 1 of 4, 0.1/s, 300 s left", 300),
        ("evaluate: 1900 of 2003, 10.4/s, 10 s left", 60),
        ("Updating lock file 'dvc.lock'", 60),
    ],
)
def test_a_stage_is_believed_once_it_knows(line: str, left: float, tmp_path: Path) -> None:
    """Items differ in length: by the first of thousands the rest seems to take hours."""
    (tmp_path / f"{STAGE}.log").write_text(f"Running stage '{STAGE}':\n> python\n{line}\n")
    durations = Durations(None, {STAGE: 60.0})
    said: list[str] = []
    screen = Screen(Graph([STAGE], {STAGE: set()}, {STAGE}), durations, 1, said.append, said.append)
    screen.started(STAGE)
    screen.tick({STAGE: 0.0}, tmp_path)
    assert screen.left() == pytest.approx(left, abs=2)
