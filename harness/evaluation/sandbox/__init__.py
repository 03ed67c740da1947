"""Runs programs that a model wrote in WebAssembly, where they can do no harm or fake a result.

docs/suites.md says how, and what risk remains.
"""

import json
import logging
import os
import platform
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from harness.common.errors import InputError, one_line
from harness.common.files import folder_hash, value_hash
from harness.common.stores import keeping, locked, scratch_folder, take_kept

log = logging.getLogger(__name__)

_HERE = Path(__file__).parent
_WORKER = [sys.executable, "-I", str(_HERE / "worker.py")]
_REMEDY = (
    "make env installs what it needs; evaluate.allow_unisolated: true runs programs without it, "
    "with your rights"
)
_UNISOLATED = ContextVar("unisolated", default=False)


class Program(NamedTuple):
    """Source to run, then expressions to evaluate."""

    source: str
    calls: tuple[str, ...]


class Outcome(NamedTuple):
    """The values of a program's calls (JSON types), or why there are none."""

    values: list[Any] | None
    why: str


class Limits(NamedTuple):
    """What one program may use: WebAssembly instructions, MiB, bytes of answer.

    10^10 instructions take about a second, or half a second in CPython outside. `wall_s` covers
    what they do not meter: a worker that is silent for longer is ended with its program.
    """

    instructions: int = 10_000_000_000
    memory_mb: int = 256
    answer_bytes: int = 65_536
    wall_s: float = 60.0


class MissingWallError(InputError):
    """The sandbox does not start on this machine, so no program runs."""


def missing_walls() -> str:
    """Why the sandbox does not start, with the remedy, in one line; "" where it does."""
    try:
        _Worker(Limits()).close()
    except MissingWallError as error:
        return str(error)
    return ""


@contextmanager
def unisolated(allowed: bool) -> Iterator[None]:
    """Within the block, programs run without the sandbox where it is missing, if `allowed`."""
    token = _UNISOLATED.set(allowed)
    try:
        yield
    finally:
        _UNISOLATED.reset(token)


def run_programs(programs: Sequence[Program], limits: Limits | None = None) -> list[Outcome]:
    """Run programs in one sandbox and return their outcomes in order.

    MissingWallError where the sandbox does not start; then nothing has run.
    """
    distinct = list(dict.fromkeys(programs))
    log.info("sandbox: %d programs to run, %d of them distinct", len(programs), len(distinct))
    limits = limits or Limits()
    try:
        worker = _Worker(limits)
    except MissingWallError:
        if not _UNISOLATED.get():
            raise
        outcomes = {program: _as_the_user(program, limits) for program in distinct}
    else:
        try:
            outcomes = {program: worker.run(program) for program in distinct}
        finally:
            worker.close()
    return [outcomes[program] for program in programs]


class _Worker:
    """A worker process that is ready; MissingWallError where it does not become so."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [*_WORKER, "run", str(_guest()), json.dumps(self._limits._asdict())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={},
            start_new_session=True,
        )
        self._rest = b""
        ready = self._line(self._limits.wall_s)
        if ready != b"ready":
            error = self.close()
            raise _missing(error or f"its worker {'ended' if ready is None else 'hung'}")
        self._ended = False

    def run(self, program: Program) -> Outcome:
        """The outcome of one program; after one that brings it down, the worker restarts."""
        if self._ended:
            self._restart()
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended: there is no line to read
            self._process.stdin.write(json.dumps(program).encode() + b"\n")
            self._process.stdin.flush()
        line = self._line(self._limits.wall_s)
        if line:
            return _outcome(json.loads(line))
        self.close()
        self._ended = True
        return Outcome(None, "out of time" if line == b"" else "brought the sandbox down")

    def _restart(self) -> None:
        """Start again for the next program; a machine short of memory or the like gets a minute."""
        for _ in range(5):
            with suppress(MissingWallError):
                return self._start()
            time.sleep(10)
        return self._start()

    def _line(self, patience: float) -> bytes | None:
        """The worker's next line; b"" where it took too long, None where it has ended."""
        assert self._process.stdout is not None
        end = time.monotonic() + patience
        while b"\n" not in self._rest:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                return b""
            piece = os.read(self._process.stdout.fileno(), 1 << 20)
            if not piece:
                return None
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def close(self) -> str:
        """End the process; returns what it wrote on standard error."""
        self._process.kill()
        return self._process.communicate()[1].decode(errors="replace")


def _guest() -> Path:
    """The guest compiled from this code, by these packages, for this processor; made if missing."""
    try:
        made_by = [version(name) for name in ("componentize-py", "wasmtime")]
    except PackageNotFoundError as error:
        raise _missing(f"{error.name} is not installed") from None
    folder = scratch_folder("sandbox", value_hash([folder_hash(_HERE), *made_by, _processor()]))
    compiled = folder / "guest.cwasm"
    with locked(folder):  # two processes make it once
        if not take_kept(compiled):
            log.info("sandbox: making its Python, once on this machine (about 20 s)")
            with keeping(compiled) as temporary:
                command = [*_WORKER, "make", str(temporary)]
                done = subprocess.run(command, capture_output=True, env={}, check=False)
                if done.returncode:
                    raise _missing(done.stderr.decode(errors="replace"))
    return compiled


def _processor() -> str:
    """The processor's features, as the compiler sees them: others may not run its code."""
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        return next((line for line in file if line.startswith(("flags", "Features"))), "")
    return platform.machine()


def _missing(error: str) -> MissingWallError:
    lines = error.strip().splitlines() or ["no message"]
    return MissingWallError(f"the sandbox does not start: {one_line(lines[-1], 300)}; {_REMEDY}")


def _as_the_user(program: Program, limits: Limits) -> Outcome:
    """Run one program with the caller's rights, in an empty folder."""
    seconds = max(1, limits.instructions // 10**10)
    order = json.dumps([*program, seconds, limits.memory_mb]).encode()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile() as answer,
    ):
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_HERE / "guest.py")],
            stdin=subprocess.PIPE,
            stdout=answer,
            stderr=subprocess.DEVNULL,
            env={},
            cwd=folder,
            start_new_session=True,
        )
        try:
            process.communicate(order, timeout=limits.wall_s)
        except subprocess.TimeoutExpired:
            return Outcome(None, "out of time")
        finally:
            with suppress(ProcessLookupError):  # what it started, too
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        answer.seek(0)
        text = answer.read(limits.answer_bytes + 1)
    if len(text) > limits.answer_bytes:
        return Outcome(None, "answer too long")
    if not text:
        return Outcome(None, f"ended with status {process.returncode} and no answer")
    return _outcome({"answer": text.decode(errors="replace"), "why": ""})


def _outcome(reply: dict[str, str]) -> Outcome:
    """The outcome in a reply, checked: a program may answer anything."""
    if reply["why"]:
        return Outcome(None, reply["why"])
    try:
        answer = json.loads(reply["answer"])
        values, why = answer["values"], answer["why"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return Outcome(None, "wrote no answer")
    if why or not isinstance(values, list):
        return Outcome(None, str(why or "wrote no answer")[:200])
    return Outcome(values, "")
