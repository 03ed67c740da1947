"""Running a phase: in this process, in one of its own, or in several that share it."""

import sys
from collections.abc import Callable
from pathlib import Path

from harness.common.files import read_json
from harness.launching.launch import Launch, followed, launched
from harness.models.loading import pick_device
from harness.params.rounds import RoundsParams
from harness.rounds.phases import TASK, run_phase

Executor = Callable[[str, Path], None]


def execute(phase: str, folder: Path, how: RoundsParams) -> None:
    """Run a phase as the params say.

    A training starts its own processes (``train.launcher``), and a judge is asked by one.
    """
    alone = phase == "train" or "judge" in read_json(folder / TASK)
    if how.processes == 1 or alone:
        EXECUTORS[how.executor](phase, folder)
        return
    where = Launch("rounds", "ddp", how.processes, pick_device(how.device))
    launched(run_phase, {"phase": phase, "folder": folder}, where)


def inprocess(phase: str, folder: Path) -> None:
    """Run it here: nothing is imported twice, and phases share this process's memory."""
    run_phase(phase, folder)


def subprocess_(phase: str, folder: Path) -> None:
    """Run it in a process of its own, which frees its memory at the end; raises its last error."""
    command = [sys.executable, "-m", "harness.rounds.phases", phase, str(folder)]
    followed(command, f"phase {phase}")


EXECUTORS: dict[str, Executor] = {"inprocess": inprocess, "subprocess": subprocess_}
