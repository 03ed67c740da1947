"""How a phase is run: in this process, or in one of its own by a launcher."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.errors import InputError
from harness.phases import run_phase

Executor = Callable[[str, Path, Sequence[str]], None]


def inprocess(phase: str, folder: Path, launcher: Sequence[str]) -> None:
    """Run it here: nothing is imported or loaded twice, and all share this process's memory."""
    run_phase(phase, folder)


def subprocess_(phase: str, folder: Path, launcher: Sequence[str]) -> None:
    """Run it in a process of its own, which gives its memory back; ends with what it says.

    Args:
        phase: its name.
        folder: where its task lies.
        launcher: the words before ``-m harness.phases``, as ``[accelerate, launch]``; empty: this
            Python. ``train`` alone is launched by it: what is asked of a model takes one process.
    """
    words = list(launcher) if launcher and phase == "train" else [sys.executable]
    command = [*words, "-m", "harness.phases", phase, str(folder)]
    try:
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    except OSError as error:
        raise InputError(f"rounds.launcher: {words[0]} cannot be run: {error.strerror}") from None
    sys.stderr.write(done.stderr)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        told = last.removeprefix("error: ")
        raise InputError(f"phase {phase} ended with status {done.returncode}: {told}")


EXECUTORS: dict[str, Executor] = {"inprocess": inprocess, "subprocess": subprocess_}
