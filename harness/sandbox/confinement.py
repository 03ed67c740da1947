"""What shuts a sandboxed process in: namespaces, a filter on system calls, no capabilities.

Imported by the supervisor, which is no part of the package; standard library only.
"""

import ctypes
import os
import platform
import signal
import struct
import sys
import sysconfig

_LIBC = ctypes.CDLL(None, use_errno=True)

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
        "56 435 57 58 59 322 62 200 234 101 310 311 302 434 424 41 53 425 29 68 64 240 248 250 272"
        " 308 165 161 321 135",
    ),
    "aarch64": (
        0xC00000B7,
        "220 435 221 281 129 130 131 117 270 271 261 434 424 198 199 425 194 186 190 180 217 219"
        " 97 268 40 51 280 92",
    ),
}


def check(result: int, what: str) -> None:
    """Raise OSError from a C call that returned an error."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """Call the kernel's mount; raises OSError."""
    coded = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    call = _LIBC.mount(coded[0], coded[1], coded[2], ctypes.c_ulong(flags), coded[3])
    check(call, f"mount {target}")


def enter_namespaces(root: str, size_mb: int) -> None:
    """Leave the network, the user's rights and the file system behind; raises OSError.

    Afterwards `/` is a small file system in memory, with the standard library where it was.
    """
    uid, gid = os.getuid(), os.getgid()
    check(_LIBC.unshare(_NEWUSER | _NEWNS | _NEWNET | _NEWIPC | _NEWPID), "unshare")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
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
    end_with_parent()


def seccomp_filter() -> bytes | None:
    """The filter that refuses _REFUSED, or None where this machine's numbers are not known."""
    if not sys.platform.startswith("linux") or platform.machine() not in _REFUSED:
        return None
    arch, listed = _REFUSED[platform.machine()]
    numbers = [int(number) for number in listed.split()]
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


def filter_works(code: bytes) -> bool:
    """Try the filter on a child that is thrown away."""
    pid = os.fork()
    if pid == 0:
        os._exit(0 if apply_filter(code) else 1)
    return os.waitpid(pid, 0)[1] == 0


def end_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    if sys.platform.startswith("linux"):
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def close_memory() -> None:
    """Keep other processes of the same user out of this one's memory."""
    if sys.platform.startswith("linux"):
        _LIBC.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
