"""Clocks: two callables in turn in this process, and the memory of one in a process of its own."""

import math
import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Timed:
    """What a callable returned, and the seconds each of its rounds took."""

    result: Any
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.seconds)


def in_turn(ours: Callable[[], Any], peer: Callable[[], Any], rounds: int) -> tuple[Timed, Timed]:
    """Run both, one after the other, ``rounds`` times: what disturbs one disturbs the other."""
    both = [clocked(call) for _ in range(rounds) for call in (peer, ours)]
    theirs, our = both[0::2], both[1::2]
    return _together(our), _together(theirs)


def clocked(call: Callable[[], Any]) -> Timed:
    """Run once."""
    begun = time.perf_counter()
    result = call()
    return Timed(result, (time.perf_counter() - begun,))


def _together(runs: list[Timed]) -> Timed:
    return Timed(runs[-1].result, tuple(s for run in runs for s in run.seconds))


def alone(task: Callable[..., Callable[[], Any]], *args: object) -> tuple[float, float]:
    """Seconds of a call in a new process, and the bytes it needs at its peak beyond the data.

    ``task(*args)`` makes the data, warms the call up and returns it. Outside Linux the bytes are
    NaN.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as workers:
        return workers.apply(_measured, (task, args))


def _measured(
    task: Callable[..., Callable[[], Any]], args: tuple[object, ...]
) -> tuple[float, float]:
    call = task(*args)
    if not _STATUS.exists():
        return clocked(call).median, math.nan
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _status("VmRSS")
    seconds = clocked(call).median
    return seconds, max(0.0, _status("VmHWM") - before)


def _status(name: str) -> float:
    """A size of ``/proc/self/status``, in bytes."""
    line = next(it for it in _STATUS.read_text().splitlines() if it.startswith(name))
    return float(line.split()[1]) * 1024
