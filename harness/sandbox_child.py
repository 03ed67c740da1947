"""The sandbox's supervisor, a script of its own; see harness/sandbox.py. Standard library only.

Reads {"programs": [[source, calls], ...], "limits": {...}} from stdin; writes one line on its
isolation and then one a program to stdout.
"""

import ctypes
import gc
import json
import os
import platform
import resource
import select
import shutil
import signal
import struct
import sys
import sysconfig
import time
from typing import Any, NoReturn

# What programs may import is loaded before they are forked: once, and with no file to read.
import bisect, collections, copy, datetime, decimal, fractions, functools, heapq  # noqa: E401, F401, I001
import itertools, math, operator, random, re, statistics, string, textwrap  # noqa: E401, F401

_LIBC = ctypes.CDLL(None, use_errno=True)
_UNCONFINED = 99  # exit status: no namespaces to be had, nothing was run

# From linux/sched.h, linux/mount.h and linux/prctl.h.
_NEWNS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_RDONLY, _NOSUID, _NODEV, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _PR_SET_PDEATHSIG = 4, 22, 38, 1

# Refused system calls, by their numbers in the kernel's tables for x86-64 and ARM64: making
# processes (clone clone3 fork vfork execve execveat), reaching others (kill tkill tgkill ptrace
# process_vm_readv process_vm_writev prlimit64 pidfd_open pidfd_send_signal), the network (socket
# socketpair io_uring_setup), memory that outlives the process (shmget msgget semget mq_open
# add_key keyctl), and the sandbox's own tools (unshare setns mount chroot bpf personality).
_REFUSED = {
    "x86_64": (
        0xC000003E,
        (56, 435, 57, 58, 59, 322, 62, 200, 234, 101, 310, 311, 302, 434, 424, 41, 53, 425)
        + (29, 68, 64, 240, 248, 250, 272, 308, 165, 161, 321, 135),
    ),
    "aarch64": (
        0xC00000B7,
        (220, 435, 221, 281, 129, 130, 131, 117, 270, 271, 261, 434, 424, 198, 199, 425)
        + (194, 186, 190, 180, 217, 219, 97, 268, 40, 51, 280, 92),
    ),
}


def check(result: int, what: str) -> None:
    """Raise OSError from a C call that returned an error."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """mount(2)."""
    coded = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    call = _LIBC.mount(coded[0], coded[1], coded[2], ctypes.c_ulong(flags), coded[3])
    check(call, f"mount {target}")


def enter_namespaces(root: str, size_mb: int) -> None:
    """Leave the network, the user's rights and the file system behind; raises OSError.

    Afterwards `/` is a small file system in memory, with the standard library where it was.
    """
    uid, gid = os.getuid(), os.getgid()
    check(_LIBC.unshare(_NEWUSER | _NEWNS | _NEWNET | _NEWIPC | _NEWPID), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    mount("none", "/", None, _REC | _PRIVATE)
    mount("tmpfs", root, "tmpfs", _NOSUID | _NODEV, f"size={size_mb}m,nr_inodes=4096,mode=755")
    for path in {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}:
        inside = root + os.path.realpath(path)
        os.makedirs(inside)
        mount(os.path.realpath(path), inside, None, _BIND | _REC)
        # Flags the mount came with must be kept: the kernel refuses to lift them from in here.
        kept = os.statvfs(inside).f_flag & (_NOSUID | _NODEV | 8 | 1024 | 2048)
        mount("none", inside, None, _BIND | _REMOUNT | _RDONLY | kept)
    os.chroot(root)
    os.chdir("/")
    # The first process forked now is number 1 of the new process namespace: when it ends, the
    # kernel ends all others in there.
    child = os.fork()
    if child:
        status = os.waitpid(child, 0)[1]
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def seccomp_filter() -> bytes | None:
    """The filter that refuses _REFUSED, or None where this machine's numbers are not known."""
    if not sys.platform.startswith("linux") or platform.machine() not in _REFUSED:
        return None
    arch, numbers = _REFUSED[platform.machine()]
    # Instructions of linux/bpf_common.h: load a word of seccomp_data, jump if equal, return.
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06
    allow, refuse, kill = 0x7FFF0000, 0x00050000 | 1, 0x80000000
    count = len(numbers)
    lines = [
        (load, 0, 0, 4),
        (equal, 1, 0, arch),
        (answer, 0, 0, kill),
        (load, 0, 0, 0),
        (at_least, count + 1, 0, 0x40000000),  # the x32 numbers of x86-64
        *((equal, count - i, 0, number) for i, number in enumerate(numbers)),
        (answer, 0, 0, allow),
        (answer, 0, 0, refuse),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in lines)


def apply_filter(code: bytes) -> bool:
    """Put the filter on this process for good; False where the kernel does not take it."""
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    if _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return False
    return _LIBC.prctl(_PR_SET_SECCOMP, 2, program, 0, 0) == 0


def drop_capabilities() -> None:
    """Give up the rights a user namespace gave: they reach every process in it."""
    header, nothing = struct.pack("Ii", 0x20080522, 0), bytes(24)
    _LIBC.capset(header, nothing)


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
        exec(compile(source, "<program>", "exec"), space)  # noqa: S102
        told = {"values": [eval(call, space) for call in calls], "why": ""}  # noqa: S307
        data = json.dumps(told).encode()
    except BaseException as error:  # noqa: BLE001  (SystemExit is a way to fail like any other)
        data = json.dumps({"values": None, "why": type(error).__name__}).encode()
    try:
        while data:
            data = data[os.write(3, data) :]
    finally:
        os._exit(0)


def run_one(
    program: tuple[str, list[str]], limits: dict[str, Any], code: bytes | None, folder: str, null: int
) -> dict[str, str]:
    """Fork a child for one program, watch it, and say what it wrote or why it was ended."""
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
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    shutil.rmtree(folder, ignore_errors=True)
    if not why and not answer:
        why = f"ended with status {status} and no answer"
    return {"answer": answer.decode(errors="replace"), "why": why}


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
    # Programs run as the same user: this keeps them out of the supervisor's memory.
    _LIBC.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    code = seccomp_filter()
    if code is not None and not filter_works(code):
        code, why = None, f"{why}; no seccomp".strip("; ")
    lines = [{"namespaces": confined, "seccomp": code is not None, "why": why}]
    gc.freeze()
    for i, program in enumerate(order["programs"]):
        lines.append(run_one(program, limits, code, f"{root}/{i}", null))
    sys.stdout.write("".join(json.dumps(line) + "\n" for line in lines))
    sys.stdout.flush()


def filter_works(code: bytes) -> bool:
    """Try the filter on a child that is thrown away."""
    pid = os.fork()
    if pid == 0:
        os._exit(0 if apply_filter(code) else 1)
    return os.waitpid(pid, 0)[1] == 0


def main() -> int:
    """Serve one order, in namespaces where they are to be had, else without."""
    order = json.load(sys.stdin)
    os.environ.clear()  # Python itself sets LC_CTYPE in a C locale
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    read, write = os.pipe()
    why = "not Linux"
    for confined in (True, False) if sys.platform.startswith("linux") else (False,):
        pid = os.fork()
        if pid == 0:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
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
