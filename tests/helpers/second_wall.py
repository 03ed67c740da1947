"""A wall around a whole process, for trying hostile programs: should the sandbox leak, they are
still in a file system that is read-only but for an empty /tmp, without network or other processes.

As a script: `python second_wall.py COMMAND...`, called by `behind` in new namespaces.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMESPACES = ["--user", "--map-root-user", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork"]


def behind(*command: str, timeout: float) -> subprocess.CompletedProcess[str]:
    """Run a command behind the wall; its environment names this repository only."""
    root = Path(__file__).parents[2]
    return subprocess.run(
        ["unshare", *NAMESPACES, "--kill-child", sys.executable, __file__, *command],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(root), "HOME": "/tmp"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def available() -> bool:
    """Whether this machine lets a user make the wall."""
    return shutil.which("unshare") is not None and behind("true", timeout=60).returncode == 0


def raise_wall() -> None:
    """Make every mount read-only, then /tmp empty and /proc that of the new processes."""
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        target, options = line.split()[4:6]
        kept = ",".join({*options.split(","), "remount", "bind", "ro"} - {"rw"})
        subprocess.run(["mount", "-o", kept, target], check=False, stderr=subprocess.DEVNULL)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/tmp"], check=True)
    subprocess.run(["mount", "-t", "proc", "proc", "/proc"], check=True)


def assert_wall() -> None:
    """Raise AssertionError unless the wall is there: called before the first hostile program."""
    assert os.getpid() < 100, "process numbers are the machine's own"
    for folder in (Path(__file__).parent, Path(os.__file__).parent, Path(sys.prefix), Path("/etc")):
        try:
            (folder / "leak").touch()
        except OSError:
            continue
        raise AssertionError(f"{folder} can be written")
    interfaces = Path("/proc/net/dev").read_text(encoding="utf-8").splitlines()[2:]
    assert [line.split(":")[0].strip() for line in interfaces] == ["lo"], interfaces


if __name__ == "__main__":
    raise_wall()
    os.execvp(sys.argv[1], sys.argv[1:])
