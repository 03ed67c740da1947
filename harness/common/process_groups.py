"""Ends processes with all their children, even after the death of the process that started them.

As a script, this is the guard's process: it reads the groups at work, a line each time they change,
until its input closes, and ends those of the last line. To start fast, it imports nothing of ours.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

STEPS = ((signal.SIGINT, 5.0), (signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0))


class Guard:
    """A process that ends the groups last passed to `watch` once this process dies.

    It has its own session, so that a signal that kills this process's group spares it.
    """

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-I", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, groups: Iterable[int]) -> None:
        """Replace the groups that are ended."""
        assert self.process.stdin is not None
        with suppress(OSError):  # without a guard, the groups still work
            self.process.stdin.write(f"{' '.join(map(str, groups))}\n".encode())
            self.process.stdin.flush()

    def close(self) -> None:
        """End the guard, and no group."""
        self.watch([])
        self.process.communicate()


def end_groups(groups: Iterable[int]) -> None:
    """End process groups and all their processes: interrupt, terminate, then kill."""
    left = [group for group in groups if _is_alive(group)]
    for number, patience in STEPS:
        for group in left:
            with suppress(ProcessLookupError):
                os.killpg(group, number)
        deadline = time.monotonic() + patience
        while left and time.monotonic() < deadline:
            time.sleep(0.05)
            left = [group for group in left if _is_alive(group)]


def _is_alive(group: int) -> bool:
    """Whether any process of a group is still there."""
    with suppress(ChildProcessError):
        os.waitpid(group, os.WNOHANG)  # a dead child would otherwise count as alive
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    *_, last = ["", *sys.stdin]
    end_groups(int(group) for group in last.split())
