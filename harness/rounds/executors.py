"""How a phase is run: in this process, or in one of its own by a launcher."""

import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.common.errors import InputError
from harness.common.process_groups import Guard, end_groups
from harness.rounds.phases import run_phase

Executor = Callable[[str, Path, Sequence[str]], None]

_KEPT = 200  # lines of what a phase says, to tell why it ended


def inprocess(phase: str, folder: Path, launcher: Sequence[str]) -> None:
    """Run it here: nothing is imported or loaded twice, and all share this process's memory."""
    run_phase(phase, folder)


def subprocess_(phase: str, folder: Path, launcher: Sequence[str]) -> None:
    """Run it in a process of its own, which gives its memory back; ends with what it says.

    What it says is passed on as it comes. It ends with this process, however that dies, and so does
    what the launcher started: the next run would else train beside it, on the same card.

    Args:
        phase: its name.
        folder: where its task lies.
        launcher: the words before ``-m harness.rounds.phases``, as ``[accelerate, launch]``; empty:
            this Python. ``train`` alone is launched by it: what is asked of a model takes one
            process.
    """
    words = list(launcher) if launcher and phase == "train" else [sys.executable]
    command = [*words, "-m", "harness.rounds.phases", phase, str(folder)]
    guard = Guard()
    try:
        try:
            child = subprocess.Popen(
                command,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # a group of its own, which the guard can end
            )
        except OSError as error:
            raise InputError(
                f"rounds.launcher: {words[0]} cannot be run: {error.strerror}"
            ) from None
        guard.watch([child.pid])
        status, said = _followed(child)
    finally:
        guard.close()
    if status:
        raise InputError(f"phase {phase} ended with status {status}: {_reason(said)}")


def _followed(child: "subprocess.Popen[str]") -> tuple[int, list[str]]:
    """Pass on what a process says until it ends; its status and last lines."""
    said: deque[str] = deque(maxlen=_KEPT)
    assert child.stderr is not None
    try:
        with child.stderr as stream:
            for line in stream:
                sys.stderr.write(line)
                sys.stderr.flush()
                said.append(line.strip())
        return child.wait(), list(said)
    except BaseException:  # Ctrl-C does not reach another session
        end_groups([child.pid])
        raise


def _reason(said: Sequence[str]) -> str:
    """The line that says why: ours where there is one, as a launcher adds many of its own."""
    lines = [line for line in said if line]
    ours = [line for line in lines if line.startswith("error: ")]
    return [*(ours or lines or ["it said nothing"])][-1].removeprefix("error: ")


EXECUTORS: dict[str, Executor] = {"inprocess": inprocess, "subprocess": subprocess_}
