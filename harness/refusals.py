"""What a disk that refuses means to a user."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Told in one line; anything else is a defect and keeps its traceback.
REFUSALS = {
    errno.ENOSPC: "the disk is full; free some space and run it again",
    errno.EDQUOT: "the disk quota is used up; free some space and run it again",
    errno.EFBIG: "the file is over the size that is allowed; raise it (ulimit -f)",
    errno.EROFS: "the file system is read-only; results cannot be written there",
    errno.EACCES: "permission denied; make the folder writable",
    errno.EPERM: "not permitted; make the folder writable",
    errno.ENAMETOOLONG: "the name is too long for the file system; give a shorter one",
    errno.ELOOP: "the link leads to itself; give the file",
    errno.ENOTDIR: "a file stands where a folder is needed; move it away",
}
FULL = re.compile(r"No space left on device|requested and \d+ written")


def refusal(error: Exception) -> str | None:
    """What a disk that refuses means to a user; None for any other error."""
    number = getattr(error, "errno", None)
    # NumPy and safetensors raise errors of their own, without the number.
    if number is None and FULL.search(str(error)):
        number = errno.ENOSPC
    return REFUSALS.get(number) if number is not None else None


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let what a disk refuses within the block name the file that was written."""
    try:
        yield
    except OSError as error:
        # Only opening a file names it; a full disk shows when it is written to.
        error.filename = error.filename or str(path)
        raise
