"""Running a phase: in this process, or in one of its own by a launcher."""

import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from harness.common.errors import InputError
from harness.common.process_groups import Guard, end_groups
from harness.rounds.phases import run_phase

Executor = Callable[[str, Path, Sequence[str]], None]

_KEPT = 200  # last lines of a phase's output, for the reason of a failure


def inprocess(phase: str, folder: Path, launcher: Sequence[str]) -> None:
    """Run it here: nothing is imported twice, and phases share this process's memory."""
    run_phase(phase, folder)


def subprocess_(phase: str, folder: Path, launcher: Sequence[str]) -> None:
    """Run it in a process of its own, which frees its memory at the end; raises its last error.

    ``launcher`` is what precedes ``-m harness.rounds.phases``, as ``[accelerate, launch]``; if
    empty, and for all phases but ``train``, it is this Python. The process and its children end
    with this one, however it dies: the next run would otherwise share the card with them.
    """
    words = list(launcher) if launcher and phase == "train" else [sys.executable]
    command = [*words, "-m", "harness.rounds.phases", phase, str(folder)]
    with closing(Guard()) as guard:
        try:
            child = subprocess.Popen(
                command,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # a group of its own, which the guard can end
            )
        except OSError as error:
            rule = f"{words[0]} cannot be run: {error.strerror}"
            raise InputError(f"rounds.launcher: {rule}") from None
        guard.watch([child.pid])
        status, said = _followed(child)
    if status:
        # Our own line if there is one, as a launcher adds many of its own.
        ours = [line for line in said if line.startswith("error: ")]
        reason = (ours or said or ["it said nothing"])[-1].removeprefix("error: ")
        raise InputError(f"phase {phase} ended with status {status}: {reason}")


def _followed(child: "subprocess.Popen[str]") -> tuple[int, list[str]]:
    """Pass on a process's output until it ends; its status and last lines."""
    said: deque[str] = deque(maxlen=_KEPT)
    assert child.stderr is not None
    try:
        with child.stderr as stream:
            for line in stream:
                sys.stderr.write(line)
                sys.stderr.flush()
                said.append(line.strip())
        return child.wait(), [line for line in said if line]
    except BaseException:  # Ctrl-C does not reach another session
        end_groups([child.pid])
        raise


EXECUTORS: dict[str, Executor] = {"inprocess": inprocess, "subprocess": subprocess_}
