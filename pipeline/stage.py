"""What every stage begins with: its arguments, its log, and one line for what goes wrong."""

import argparse
import errno
import logging
import os
import sys
from collections.abc import Callable

from harness.errors import InputError

# What the disk refuses, told in one line; anything else is a defect and keeps its traceback.
REFUSALS = {
    errno.ENOSPC: "the disk is full; free some space and run it again",
    errno.EDQUOT: "the disk quota is used up; free some space and run it again",
    errno.EROFS: "the file system is read-only; results cannot be written there",
    errno.EACCES: "permission denied; make the folder writable",
    errno.EPERM: "not permitted; make the folder writable",
    errno.ENOTDIR: "a file stands where a folder is needed; move it away",
}


def main(run: Callable[..., None], *arguments: tuple[str, str]) -> None:
    """Run a stage with its positional arguments, given as (name, help) pairs.

    Bad input ends it with one line and status 1. The stage ends with the process that started
    it: the child of a killed ``dvc`` would otherwise go on beside the next one.
    """
    parser = argparse.ArgumentParser(description=(run.__doc__ or "").splitlines()[0])
    for name, text in arguments:
        parser.add_argument(name, help=text)
    values = vars(parser.parse_args())
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("harness").setLevel(logging.INFO)
    if os.environ.get("DVC_STAGE"):
        die_with_parent()
    try:
        run(**values)
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        sys.exit(f"error: {error.filename or 'output'}: {REFUSALS[error.errno]}")
    except KeyboardInterrupt:
        sys.exit(130)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies (Linux; elsewhere a no-op)."""
    if sys.platform != "linux":
        return
    import ctypes
    import signal

    pr_set_pdeathsig = 1
    parent = os.getppid()
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    # The parent may have died before the kernel was asked.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
