"""What `make repro` prints while stages run: stage n of m, time elapsed, time left."""

import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from pipeline.make.durations import Durations, critical_paths, spoken, time_left
from pipeline.make.runner import Graph, StageFailed
from pipeline.make.stage_logs import last_line

HEARTBEAT_S = 30.0
OWN_LEFT = re.compile(r"(\d+) of (\d+), \S+, (\d+) s left")  # as harness.common.progress says it
LEAST_DONE = 0.05  # of a stage's items: by so few, it cannot say how long the rest takes
WIDTH = 110


class Screen:
    """Shows a run's progress: a line for each event, and one now and then in between.

    Args:
        say: prints a line that stays.
        show: redraws the last line of a terminal; None where there is no terminal.
        early: the lines of a table that a stage which ended has made or added to.
        first: stages that are started before all others.
    """

    def __init__(
        self,
        graph: Graph,
        durations: Durations,
        jobs: int,
        say: Callable[[str], None],
        show: Callable[[str], None] | None = None,
        early: Callable[[str], list[str]] = lambda stage: [],
        first: Collection[str] = (),
    ) -> None:
        self.graph, self.durations, self.jobs = graph, durations, jobs
        self.say, self.show, self.early, self.first = say, show, early, first
        self.begin = self.last_line = time.monotonic()
        self.numbers: dict[str, int] = {}
        self.done: set[str] = set()
        self.since: dict[str, float] = {}
        self.ends: dict[str, float] = {}  # the earliest, as the stage itself estimates

    def priority(self, stage: str) -> float:
        """Those of ``first``, then the stage with the longest chain behind it is started first."""
        seconds = {s: self.durations.estimate(s) or 1.0 for s in self.graph.stages}
        chain = critical_paths(self.graph.stages, self.graph.needs, seconds)[stage]
        return chain + (1e9 if stage in self.first else 0.0)

    def started(self, stage: str) -> None:
        """A stage begins."""
        self.since[stage] = time.monotonic()
        self._line(stage, "started")

    def finished(self, stage: str, seconds: float, ran: bool, changed: bool) -> None:
        """A stage succeeded: it ran, or its outputs were up to date or came from a cache."""
        self.done.add(stage)
        if ran:
            self.durations.record(stage, seconds)
        how = f"done in {spoken(seconds)}" if ran else "needed no run"
        self._line(stage, how + ("" if changed else ", same outputs as before"), clock=True)
        for line in self.early(stage):
            self._say(line)

    def noted(self, stage: str, line: str) -> None:
        """A stage that succeeded has a note for its user."""
        self._say(f"  {line}")

    def skipped(self, stage: str) -> None:
        """A stage need not run: nothing that it depends on has changed."""
        self.done.add(stage)
        self.early(stage)  # counts it; its table was shown when it was made
        self._line(stage, "still up to date")

    def waiting(self, stage: str) -> None:
        """Another DVC process holds the lock; shown once it has taken a while."""
        if time.monotonic() - self.since[stage] > HEARTBEAT_S:
            self._line(stage, "waiting for another dvc process to end")

    def failed(self, failure: StageFailed, running: Sequence[str]) -> None:
        """A stage failed; those that are running may take a while to end."""
        self._line(failure.stage, "FAILED")
        for line in failure.reasons:
            self.say(f"  {line}")
        if running:
            self.say(
                f"  no further stage is started; waiting for {', '.join(running)} (Ctrl-C ends)"
            )

    def tick(self, running: Mapping[str, float], logs: Path) -> None:
        """Show now and then what is running and how far it has come."""
        if not running:
            return
        now = time.monotonic()
        if self.show is not None:
            self.show(f"  {self._clock()}; {self._running(running, logs)}"[:WIDTH])
        elif now - self.last_line > HEARTBEAT_S:
            self._say(f"  {self._clock()}; {self._running(running, logs)}")

    def _running(self, running: Mapping[str, float], logs: Path) -> str:
        parts = []
        for stage, seconds in running.items():
            line = last_line(logs / f"{stage}.log")
            if (own := OWN_LEFT.search(line)) and int(own[1]) >= LEAST_DONE * int(own[2]):
                self.ends[stage] = time.monotonic() + float(own[3])
            parts.append(f"{stage} {spoken(seconds)}" + (f" ({line})" if line else ""))
        return "; ".join(parts)

    def _line(self, stage: str, what: str, clock: bool = False) -> None:
        number = self.numbers.setdefault(stage, len(self.numbers) + 1)
        text = f"stage {number} of {len(self.graph.stages)}: {stage} {what}"
        self._say(f"{text}  [{self._clock()}]" if clock else text)

    def _say(self, text: str) -> None:
        self.last_line = time.monotonic()
        self.say(text)

    def _clock(self) -> str:
        left = self.left()
        gone = spoken(time.monotonic() - self.begin)
        return f"{gone} gone, " + (
            "time left not known yet" if left is None else f"about {spoken(left)} left"
        )

    def left(self) -> float | None:
        """Seconds until the whole graph is done; None before there is anything to go by."""
        now = time.monotonic()
        seconds: dict[str, float] = {}
        for stage in self.graph.stages:
            if stage in self.done:
                continue
            guess = self.durations.estimate(stage)
            if guess is None:
                return None
            gone = now - self.since[stage] if stage in self.since else 0.0
            seconds[stage] = max(guess - gone, 0.05 * guess, self.ends.get(stage, 0.0) - now)
        return time_left(seconds, self.graph.needs, seconds, self.jobs)
