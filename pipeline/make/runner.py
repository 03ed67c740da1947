"""Runs a graph of stages as processes, several side by side, and reports progress.

Knows neither DVC nor what a stage does: a stage is a name, the names it waits for, and a command.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

from harness.common.process_groups import Guard, end_groups
from pipeline.make.dvc_warm import Warm, WarmStage
from pipeline.make.stage_logs import error_lines, fresh_log, note_lines, read_log

if TYPE_CHECKING:
    from pipeline.make.progress_lines import Screen

# What DVC prints when another DVC process holds its lock: the stage is tried again.
BUSY = re.compile(r"Unable to acquire lock|is busy, it is being blocked by|Unable to read RWLock")
# What it prints when it runs a stage's command instead of taking its outputs from a cache.
RAN = re.compile(r"^Running stage", re.MULTILINE)
BUSY_WAIT_S = 1.0
BUSY_PATIENCE_S = 900.0
POLL_S = 0.1


class StageFailed(Exception):
    """A stage's command failed; carries its name, the lines that say why, and its log."""

    def __init__(self, stage: str, reasons: list[str], log: Path) -> None:
        super().__init__(f"{stage} failed: {'; '.join(reasons)}")
        self.stage, self.reasons, self.log = stage, reasons, log


@dataclass
class Graph:
    """Stages that may have to run, each after the listed ones that it ``needs``.

    ``stale`` are those known to be out of date; any other runs only if one it needs changed.
    """

    stages: list[str]
    needs: dict[str, set[str]]
    stale: set[str]


@dataclass
class Job:
    """One running attempt at a stage."""

    stage: str
    slot: int
    process: subprocess.Popen[bytes] | WarmStage
    started: float
    log: Path
    log_start: int


@dataclass
class Runner:
    """Runs a graph with ``jobs`` slots.

    Args:
        command: the argument vector of a stage.
        changed: whether a stage that ran left its outputs different; asked once it ended.
        logs: folder of the stages' logs.
        gpus: cards assigned to the slots in turn; empty leaves the environment as it is.
        priority: of the stages that could start, the highest is started first.
        warm: stages forked from a process that has their imports, once it has them.
    """

    command: Callable[[str], list[str]]
    changed: Callable[[str], bool]
    screen: "Screen"
    logs: Path
    jobs: int = 2
    gpus: Sequence[str] = ()
    priority: Callable[[str], float] = lambda stage: 0.0
    warm: Collection[str] = ()
    ready: list[str] = field(default_factory=list)  # they wait for nothing but a free slot
    running: dict[str, Job] = field(default_factory=dict)
    done: dict[str, bool] = field(default_factory=dict)  # whether it changed its outputs
    retry_at: dict[str, tuple[float, float]] = field(default_factory=dict)
    order: "TopologicalSorter[str]" = field(init=False)
    guard: Guard = field(init=False)
    forking: Warm | None = field(init=False, default=None)

    def run(self, graph: Graph) -> list[str]:
        """Run what is stale and what that makes stale; returns the stages that changed something.

        Raises:
            StageFailed: a command failed; stages already running were left to finish.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        self.guard = Guard()
        self.forking = Warm(self._environment(0)) if self.warm else None
        self.order = TopologicalSorter({stage: graph.needs[stage] for stage in graph.stages})
        self.order.prepare()
        failure: StageFailed | None = None
        try:
            while self.running or (self.order.is_active() and failure is None):
                if failure is None:
                    self._start_ready(graph)
                failure = self._collect() or failure
                self.screen.tick(self._elapsed(), self.logs)
                if self.running:
                    time.sleep(POLL_S)
        finally:
            self._stop_all()
            if self.forking:
                self.forking.close()
            self.guard.close()
        if failure is not None:
            raise failure
        return [stage for stage, changed in self.done.items() if changed]

    def _start_ready(self, graph: Graph) -> None:
        while ready := self.order.get_ready():
            for stage in ready:
                if stage in graph.stale or any(self.done[n] for n in graph.needs[stage]):
                    self.ready.append(stage)
                    continue
                self.done[stage] = False
                self.order.done(stage)
                self.screen.skipped(stage)
        free = {*range(self.jobs)} - {job.slot for job in self.running.values()}
        if free:  # priorities are slow to work out: not while all slots are busy
            self.ready.sort(key=lambda stage: -self.priority(stage))
        for slot in sorted(free)[: len(self.ready)]:
            stage = self.ready.pop(0)
            self.screen.started(stage)
            self._launch(stage, slot)

    def _launch(self, stage: str, slot: int, again: bool = False) -> None:
        log = self.logs / f"{stage}.log"
        if not again:
            fresh_log(log)
        with log.open("ab" if again else "wb") as stream:
            start, env = log.stat().st_size, self._environment(slot)
            forking = self.forking if stage in self.warm else None
            process = (forking and forking.start(stage, stream, env)) or subprocess.Popen(
                self.command(stage),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=env,
                # A group of its own: Ctrl-C reaches this process alone, which then ends them all.
                start_new_session=True,
            )
        self.running[stage] = Job(stage, slot, process, time.monotonic(), log, start)
        self._watch()

    def _environment(self, slot: int) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        env = {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}
        # Jobs side by side with a thread each use the cores better than threads do.
        env.setdefault("OMP_NUM_THREADS", "1")
        if self.gpus:
            env["CUDA_VISIBLE_DEVICES"] = self.gpus[slot % len(self.gpus)]
        return env

    def _collect(self) -> StageFailed | None:
        """Deal with the stages that ended: done, to be tried again, or failed."""
        failure = None
        for job in list(self.running.values()):
            if job.process.poll() is None or self._retried(job):
                continue
            del self.running[job.stage]
            self._watch()  # the number of a group that ended may be reused
            self.retry_at.pop(job.stage, None)
            if job.process.returncode != 0:
                failure = StageFailed(job.stage, error_lines(job.log, job.log_start), job.log)
                self.screen.failed(failure, list(self.running))
                continue
            self.done[job.stage] = self.changed(job.stage)
            self.order.done(job.stage)
            ran = RAN.search(read_log(job.log, job.log_start)) is not None
            seconds = time.monotonic() - job.started
            self.screen.finished(job.stage, seconds, ran, self.done[job.stage])
            for line in note_lines(job.log, job.log_start):
                self.screen.noted(job.stage, line)
        return failure

    def _retried(self, job: Job) -> bool:
        """True where the attempt met another process's lock and another try is due."""
        now = time.monotonic()
        if job.process.returncode == 0 or not BUSY.search(read_log(job.log, job.log_start)):
            return False
        since, next_try = self.retry_at.get(job.stage, (now, 0.0))
        if now - since > BUSY_PATIENCE_S:
            return False
        if not next_try:
            # Each slot waits a time of its own, so that they do not collide again.
            self.retry_at[job.stage] = (since, now + BUSY_WAIT_S * (1 + 0.5 * job.slot))
            self.screen.waiting(job.stage)
        elif now >= next_try:
            self._launch(job.stage, job.slot, again=True)
            self.retry_at[job.stage] = (since, 0.0)
        return True

    def _elapsed(self) -> dict[str, float]:
        now = time.monotonic()
        return {stage: now - job.started for stage, job in self.running.items()}

    def _stop_all(self) -> None:
        """End the running stages and all that they started: terminated first, then killed."""
        groups = self._groups()
        if not groups:
            return
        # A second Ctrl-C must not leave half of them running.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        end_groups(groups)
        signal.signal(signal.SIGINT, before)

    def _watch(self) -> None:
        forking = [self.forking.process.pid] if self.forking else []
        self.guard.watch([*self._groups(), *forking])

    def _groups(self) -> list[int]:
        """The process groups that are running."""
        jobs = self.running.values()
        return [job.process.pid for job in jobs if job.process.poll() is None]
