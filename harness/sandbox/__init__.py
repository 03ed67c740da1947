"""Running programs that a model wrote, where they can do little harm and cannot fake a result.

One supervisor process (`supervisor.py`) is started for a batch: `python -I -S`, empty
environment, its own empty temporary folder. It forks a child for each program, which costs two to
four milliseconds. What holds a child:
- limits on CPU time, address space, file size, open files and processes; a wall clock; a limit on
  what it may answer. Its standard streams go nowhere.
- where the kernel lets an ordinary user make namespaces (Linux, most distributions): no network,
  and a file system of its own that holds Python's standard library, read-only, and an empty folder
  in memory. `Isolation.namespaces` says whether that worked.
- where the kernel has seccomp (Linux on x86-64 and ARM64): no new process or thread, no other
  program, no socket, no signal to anybody, no look into another process. `Isolation.seccomp`.

A program is asked for the values of expressions. What they ought to be stays with the caller, so
there is nothing in its reach that tells, and printing, exiting early or patching Python only loses
it the point. Identical programs are run once.

What remains: the same kernel, so a flaw in it is a way out; a program can find the sources of the
others in its batch, which are forked along; time and memory are side channels. Where `Isolation`
says a layer is missing, so is what it would have held: without namespaces a program can read (and,
as the user, change) files, and only seccomp keeps it from sockets; without seccomp it can make
processes, if the user is root, whom the limit on them does not bind.
"""

import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import InputError

log = logging.getLogger(__name__)

_CHILD = Path(__file__).with_name("supervisor.py")
NOT_RUN = "not run"
_UNISOLATED = ContextVar("unisolated", default=False)


class Program(NamedTuple):
    """Source to run, then expressions whose values are wanted."""

    source: str
    calls: tuple[str, ...]


class Outcome(NamedTuple):
    """A program's values in the order of its calls (JSON types), or why there are none."""

    values: list[Any] | None
    why: str


class Limits(NamedTuple):
    """What one program may use: seconds of CPU and by the clock, MiB, and bytes of answer.

    And what all programs of a batch may use together: what is left when it is used up is not run.
    An ordinary batch takes a few seconds of it on a slow machine, so that scores depend on it only
    where programs by the hundred run into their own limits.
    """

    cpu_s: float = 0.5
    wall_s: float = 5.0
    memory_mb: int = 256
    file_mb: int = 1
    answer_bytes: int = 65_536
    batch_cpu_s: float = 60.0
    batch_wall_s: float = 300.0


class Isolation(NamedTuple):
    """Which of the layers that depend on the kernel are in force."""

    namespaces: bool
    seccomp: bool
    why: str


class MissingWallError(InputError):
    """A wall of the sandbox is not to be had on this machine, so no program runs."""


def missing_walls() -> str:
    """Why programs do not run on this machine, with the remedy, in one line; "" where they do."""
    found = isolation()
    if found.namespaces and found.seccomp:
        return ""
    return f"{found.why}; remedy: run on Linux where an ordinary user may make namespaces"


@contextmanager
def unisolated(allowed: bool) -> Iterator[None]:
    """Within it, programs run without the walls that are missing, if `allowed`."""
    token = _UNISOLATED.set(allowed)
    try:
        yield
    finally:
        _UNISOLATED.reset(token)


def run_programs(programs: Sequence[Program], limits: Limits | None = None) -> list[Outcome]:
    """Run programs in one sandbox and return their outcomes in order.

    Those that the batch's limits left no time for are told in a warning and have no values. Raises
    RuntimeError where the sandbox itself dies: that is no verdict on a program.
    """
    distinct = len(set(programs))
    log.info("sandbox: %d programs to run, %d of them distinct", len(programs), distinct)
    outcomes = _run(programs, limits or Limits())[0]
    missed = sum(outcome.why == NOT_RUN for outcome in outcomes)
    if missed:
        told = "warning: sandbox: %d of %d programs were not run and count as failed: %s"
        log.warning(told, missed, len(programs), "those before them used up the batch's time")
    return outcomes


def isolation() -> Isolation:
    """Find out which layers this machine's kernel offers, by making an empty sandbox."""
    return _run([], Limits())[1]


def _run(programs: Sequence[Program], limits: Limits) -> tuple[list[Outcome], Isolation]:
    distinct = list(dict.fromkeys(programs))
    order = json.dumps({"programs": distinct, "limits": limits._asdict()})
    # Parsing has a minute of its own, the program that is running at the end its own time.
    patience = 120 + limits.batch_wall_s + limits.wall_s
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-S", str(_CHILD), folder],
                input=order.encode(),
                capture_output=True,
                env={},
                cwd=folder,
                timeout=patience,
                start_new_session=True,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"sandbox: no answer after {patience:.0f} s") from error
    lines = done.stdout.splitlines()
    if done.returncode or len(lines) != 1 + len(distinct):
        told = done.stderr.decode(errors="replace").strip().splitlines()
        raise RuntimeError(
            f"sandbox: died with status {done.returncode} after {max(0, len(lines) - 1)} of "
            f"{len(distinct)} programs: {told[-1] if told else 'no message'}"
        )
    outcomes = {program: _outcome(line) for program, line in zip(distinct, lines[1:], strict=True)}
    return [outcomes[program] for program in programs], Isolation(**json.loads(lines[0]))


def _outcome(line: bytes) -> Outcome:
    """A supervisor's line: {"why": ...} or {"answer": <what the program wrote>}."""
    told = json.loads(line)
    if told["why"]:
        return Outcome(None, told["why"])
    try:
        answer = json.loads(told["answer"])
        values, why = answer["values"], answer["why"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return Outcome(None, "wrote no answer")
    if why or not isinstance(values, list):
        return Outcome(None, str(why or "wrote no answer")[:200])
    return Outcome(values, "")
