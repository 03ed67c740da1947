"""Errors of the disk, explained to the user in one line."""

import errno
import os
import re
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.common.errors import InputError
from harness.common.progress import guard_output

# Reported in one line; any other error is a defect and keeps its traceback.
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
    errno.EEXIST: "a file stands where a folder is needed; move it away",
    errno.EISDIR: "a folder stands where a file is needed; move it away",
}
# The texts of errors that NumPy, tokenizers and safetensors raise without a number.
MESSAGES = re.compile(r"(No space left on device)|(File too large)|requested and \d+ written")


def refusal(error: BaseException) -> str | None:
    """What an error of the disk means to the user; None for any other error."""
    return REFUSALS.get(_number(error))


def _number(error: BaseException) -> int:
    if not isinstance(error, OSError) and error.__cause__ is not None:
        return _number(error.__cause__)  # as datasets wraps errors of its cache
    number = getattr(error, "errno", None)
    if number is None and (text := MESSAGES.search(str(error))):
        limited = resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY
        number = errno.EFBIG if text[2] or (limited and not text[1]) else errno.ENOSPC
    return number if isinstance(number, int) else 0


@contextmanager
def naming(path: Path, temporary: Path | None = None) -> Iterator[Path]:
    """Make an error of the disk within the block name the file being written; yields its path.

    ``temporary`` is written in its place: users do not know that name.
    """
    try:
        yield path
    except Exception as error:
        if refusal(error) is not None:
            here = os.path.abspath(temporary or path)
            name = _name_in(error)
            # Errors of opening a file name it, errors of writing to it do not.
            if name is None:
                _name(error, path)
            elif Path(os.path.abspath(name)).is_relative_to(here):
                _name(error, path / os.path.relpath(name, here))
        raise


def _name_in(error: BaseException) -> str | None:
    """The file that an error is about: of two, as when copying, the one written."""
    names = (getattr(error, "filename2", None), getattr(error, "filename", None))
    name = next((name for name in names if isinstance(name, str)), None)
    return name or (_name_in(error.__cause__) if error.__cause__ is not None else None)


def _name(error: Any, path: Path) -> None:  # noqa: ANN401  (errors of libraries take one too)
    error.errno = _number(error)  # an error with a name but no number has no text
    error.filename, error.filename2 = str(path), None


@contextmanager
def ending_in_one_line() -> Iterator[None]:
    """End the program with one line and status 1 on bad input or an error of the disk.

    What the block prints shows no secrets and no control characters.
    """
    guard_output()
    try:
        yield
    except InputError as error:
        message = str(error)
    except Exception as error:
        if (why := refusal(error)) is None:
            raise
        message = f"{_name_in(error) or 'output'}: {why}"
    else:
        return
    sys.exit("error: " + message.replace("\n", "\\n"))  # a file's name may contain a line break
