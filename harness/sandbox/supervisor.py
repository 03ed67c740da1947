"""The sandbox's supervisor, a script of its own (see the package's text). Standard library only.

Reads {"programs": [[source, calls], ...], "limits": {...}} from stdin; writes one line on its
isolation and then one a program to stdout.
"""

import gc
import importlib
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
from typing import Any, NoReturn

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from confinement import (
    apply_filter,
    close_memory,
    drop_capabilities,
    end_with_parent,
    enter_namespaces,
    filter_works,
    seccomp_filter,
)

# What programs most often import is loaded before they are forked: once for all of them.
_PRELOADED = """
    bisect collections copy datetime decimal fractions functools heapq itertools math operator
    random re statistics string textwrap typing
"""
for _name in _PRELOADED.split():
    importlib.import_module(_name)

_UNCONFINED = 99  # exit status: no namespaces to be had, nothing was run


def set_limits(limits: dict[str, Any]) -> None:
    """The hard limits of one program."""
    mega = 2**20
    seconds = int(limits["cpu_s"]) + 1  # the supervisor's own clock is the exact one
    for which, value in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, limits["memory_mb"] * mega),
        (resource.RLIMIT_FSIZE, limits["file_mb"] * mega),
        (resource.RLIMIT_NOFILE, 16),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(which, (value, value))


def run_child(
    program: tuple[str, list[str]], limits: dict[str, Any], code: bytes | None
) -> NoReturn:
    """In the forked child: lock up, run, write the values to descriptor 3, end.

    From `exec` on, nothing here can be relied upon; what is written is checked by the caller.
    """
    try:
        set_limits(limits)
        drop_capabilities()
        if code is not None and not apply_filter(code):
            os._exit(1)
        source, calls = program
        space: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(source, "<program>", "exec"), space)
        told = {"values": [eval(call, space) for call in calls], "why": ""}
        data = json.dumps(told).encode()
    except BaseException as error:
        data = json.dumps({"values": None, "why": type(error).__name__}).encode()
    try:
        while data:
            data = data[os.write(3, data) :]
    finally:
        os._exit(0)


def unparsable(sources: list[str], limits: dict[str, Any], code: bytes | None) -> set[int]:
    """The positions of sources that are no Python, found by one child that only parses.

    A weak model writes hundreds of those, and a fork for each is most of what they cost. Should a
    source bring the child down, nothing is known of those from it on, and they are run.
    """
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        set_limits({**limits, "cpu_s": 60})
        drop_capabilities()
        if code is not None:
            apply_filter(code)
        for i, source in enumerate(sources):
            try:
                compile(source, "<program>", "exec")
            except SyntaxError:
                os.write(write, f"{i} ".encode())
            except (ValueError, MemoryError, RecursionError):
                pass
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        # The last number may be cut short if the child died while writing it.
        told = pipe.read().rpartition(" ")[0].split()
    os.waitpid(pid, 0)
    return {int(number) for number in told}


def run_one(
    program: tuple[str, list[str]],
    limits: dict[str, Any],
    code: bytes | None,
    folder: str,
    null: int,
) -> tuple[dict[str, str], float]:
    """Fork a child for one program; what it wrote or why it was ended, and its CPU seconds."""
    os.mkdir(folder)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.chdir(folder)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        os.dup2(write, 3)
        os.closerange(4, 1 << 16)
        run_child(program, limits, code)
    os.close(write)
    answer, why = watch(pid, read, limits)
    os.close(read)
    os.kill(pid, signal.SIGKILL)
    _, waited, usage = os.wait4(pid, 0)
    status = os.waitstatus_to_exitcode(waited)
    shutil.rmtree(folder, ignore_errors=True)
    if not why and not answer:
        why = f"ended with status {status} and no answer"
    told = {"answer": answer.decode(errors="replace"), "why": why}
    return told, usage.ru_utime + usage.ru_stime


def watch(pid: int, read: int, limits: dict[str, Any]) -> tuple[bytes, str]:
    """Read a child's answer until it closes the pipe or exceeds a limit."""
    end = time.monotonic() + limits["wall_s"]
    # The clock of another process' CPU time, as clock_getcpuclockid(3) makes it from its number:
    # a busy machine does not use up a program's time.
    clock = (~pid << 3) | 2
    answer = b""
    while True:
        if select.select([read], [], [], 0.02)[0]:
            piece = os.read(read, 65_536)
            answer += piece
            if not piece:
                return answer, ""
            if len(answer) > limits["answer_bytes"]:
                return b"", "answer too long"
        try:
            used = time.clock_gettime(clock)
        except OSError:  # it has ended: what it wrote is still to be read
            used = 0.0
        if used > limits["cpu_s"]:
            return b"", "out of CPU time"
        if time.monotonic() > end:
            return b"", "out of time"


def serve(order: dict[str, Any], root: str, confined: bool, why: str) -> None:
    """Answer every program of the order, one line each after the line on the isolation."""
    null = os.open(os.devnull, os.O_RDWR)
    limits = order["limits"]
    if confined:
        enter_namespaces(root, 16 * limits["file_mb"])
        root = "/"
    os.chdir(root)
    close_memory()
    code = seccomp_filter()
    if code is not None and not filter_works(code):
        code, why = None, f"{why}; no seccomp".strip("; ")
    lines = [{"namespaces": confined, "seccomp": code is not None, "why": why}]
    gc.freeze()
    broken = unparsable([source for source, _ in order["programs"]], limits, code)
    used, end = 0.0, time.monotonic() + limits["batch_wall_s"]
    for i, program in enumerate(order["programs"]):
        if i in broken:
            lines.append({"answer": "", "why": "SyntaxError"})
        elif used > limits["batch_cpu_s"] or time.monotonic() > end:
            lines.append({"answer": "", "why": "not run"})
        else:
            line, seconds = run_one(program, limits, code, f"{root}/{i}", null)
            lines.append(line)
            used += seconds
    sys.stdout.write("".join(json.dumps(line) + "\n" for line in lines))
    sys.stdout.flush()


def main() -> int:
    """Serve one order, in namespaces where they are to be had, else without."""
    order = json.load(sys.stdin)
    os.environ.clear()  # Python itself sets LC_CTYPE in a C locale
    end_with_parent()
    read, write = os.pipe()
    why = "not Linux"
    for confined in (True, False) if sys.platform.startswith("linux") else (False,):
        pid = os.fork()
        if pid == 0:
            end_with_parent()
            try:
                serve(order, sys.argv[1], confined, "" if confined else why)
            except OSError as error:
                os.write(write, str(error)[:500].encode())
                os._exit(_UNCONFINED if confined else 1)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status != _UNCONFINED:
            return status & 0xFF
        why = os.read(read, 500).decode()
    return 1


if __name__ == "__main__":
    sys.exit(main())
