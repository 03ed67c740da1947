"""How long stages took before, and how long the rest of a run will take by that."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.common.files import read_json
from harness.common.stores import keeping, take_kept


class Durations:
    """Seconds a stage took when it last ran here, else when the preset was measured.

    Args:
        path: where this machine's own durations are kept, made on the first record; None where
            they do not count.
        shipped: durations that came with the repository, from another machine.
    """

    def __init__(self, path: Path | None, shipped: Mapping[str, float] | None = None) -> None:
        self.path = path
        self.own: dict[str, float] = read_json(path) if path and take_kept(path) else {}
        self.measured: dict[str, float] = {}
        self._first_guess = {**(shipped or {}), **self.own}

    def record(self, stage: str, seconds: float) -> None:
        """Keep what a stage took; it counts for the estimates of the others at once."""
        self.measured[stage] = self.own[stage] = round(seconds, 1)
        if self.path is not None:
            with keeping(self.path) as temporary:
                temporary.write_text(json.dumps(self.own, indent=2, sort_keys=True))

    def estimate(self, stage: str) -> float | None:
        """Seconds a stage will take; None where nothing like it has ever run."""
        guess = _guess(self._first_guess, stage)
        if guess is not None:
            return guess * self._speed()
        return _guess(self.measured, stage) or _mean(self.measured.values())

    def _speed(self) -> float:
        """How much slower this run is than the durations it is estimated from."""
        both = [s for s in self.measured if s in self._first_guess]
        expected = sum(self._first_guess[s] for s in both)
        # Seconds of a few short stages say nothing about the machine.
        if expected < 10:
            return 1.0
        return min(max(sum(self.measured[s] for s in both) / expected, 0.2), 5.0)


def _guess(known: Mapping[str, float], stage: str) -> float | None:
    """A stage's own seconds, else the mean of the cells of its grid."""
    if stage in known:
        return known[stage]
    grid = stage.split("@")[0]
    return _mean(value for name, value in known.items() if name.split("@")[0] == grid)


def _mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return sum(listed) / len(listed) if listed else None


def critical_paths(
    stages: Iterable[str], needs: Mapping[str, set[str]], seconds: Mapping[str, float]
) -> dict[str, float]:
    """Seconds from the start of each stage to the end of the longest chain that waits for it.

    Args:
        stages: in an order that respects ``needs``.
        needs: what each stage waits for.
        seconds: what each takes.
    """
    length: dict[str, float] = {}
    after: dict[str, float] = {}
    for stage in reversed(list(stages)):
        length[stage] = seconds[stage] + after.get(stage, 0.0)
        for need in needs[stage]:
            after[need] = max(after.get(need, 0.0), length[stage])
    return length


def time_left(
    remaining: Iterable[str],
    needs: Mapping[str, set[str]],
    seconds: Mapping[str, float],
    jobs: int,
) -> float:
    """Seconds until all remaining stages are done: the work shared out, or the longest chain."""
    stages = list(remaining)
    inside = {stage: needs[stage] & set(stages) for stage in stages}
    paths = critical_paths(stages, inside, seconds)
    work = sum(seconds[stage] for stage in stages) / jobs
    return max([work, *paths.values()], default=0.0)


def spoken(seconds: float) -> str:
    """A duration in words: ``8 s``, ``2 min 05 s``, ``1 h 20 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
