"""Ends processes with all that they have started, also after the death of who started them.

As a script this is the guard's process: it reads which groups are at work until nobody is left who
could tell it, and ends those of the last line. It imports nothing of ours, so that it starts fast.
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
    """A process that ends the groups it was last told of once this one is gone, however it died."""

    def __init__(self) -> None:
        """Start it, in a session of its own: what kills this one by its group spares the guard."""
        self.process = subprocess.Popen(
            [sys.executable, "-I", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, groups: Iterable[int]) -> None:
        """Say which groups are at work now, in place of those before."""
        assert self.process.stdin is not None
        with suppress(OSError):  # without a guard the groups work as well
            self.process.stdin.write(f"{' '.join(map(str, groups))}\n".encode())
            self.process.stdin.flush()

    def close(self) -> None:
        """End it; it ends nothing."""
        self.watch([])
        self.process.communicate()


def end_groups(groups: Iterable[int]) -> None:
    """End process groups, with all that they started: asked first, then killed."""
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
    """Whether the process that leads a group, or one that it started, is still there."""
    with suppress(ChildProcessError):
        os.waitpid(group, os.WNOHANG)  # so that a dead one is not taken for alive
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    *_, last = ["", *sys.stdin]
    end_groups(int(group) for group in last.split())
