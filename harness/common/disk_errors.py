"""What a disk that refuses means to a user."""

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
    errno.EEXIST: "a file stands where a folder is needed; move it away",
    errno.EISDIR: "a folder stands where a file is needed; move it away",
}
# What NumPy, tokenizers and safetensors say in errors of their own, without the number.
SAID = re.compile(r"(No space left on device)|(File too large)|requested and \d+ written")


def refusal(error: BaseException) -> str | None:
    """What a disk that refuses means to a user; None for any other error."""
    return REFUSALS.get(_number(error))


def _number(error: BaseException) -> int:
    if not isinstance(error, OSError) and error.__cause__ is not None:
        return _number(error.__cause__)  # as datasets wraps what befell its cache
    number = getattr(error, "errno", None)
    if number is None and (said := SAID.search(str(error))):
        limited = resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY
        number = errno.EFBIG if said[2] or (limited and not said[1]) else errno.ENOSPC
    return number if isinstance(number, int) else 0


@contextmanager
def naming(path: Path, temporary: Path | None = None) -> Iterator[Path]:
    """Let what a disk refuses within the block name the file that was written; yields its path.

    ``temporary`` stands in its place meanwhile: a user does not know that name.
    """
    try:
        yield path
    except Exception as error:
        if refusal(error) is not None:
            here = os.path.abspath(temporary or path)
            found = _name_in(error)
            # Only opening a file names it; a full disk shows when it is written to.
            if found is None:
                _name(error, path)
            elif Path(os.path.abspath(found)).is_relative_to(here):
                _name(error, path / os.path.relpath(found, here))
        raise


def _name_in(error: BaseException) -> str | None:
    """The file that an error is about: of two, as in copying, the one written."""
    names = (getattr(error, "filename2", None), getattr(error, "filename", None))
    found = next((name for name in names if isinstance(name, str)), None)
    return found or (_name_in(error.__cause__) if error.__cause__ is not None else None)


def _name(error: Any, path: Path) -> None:  # noqa: ANN401  (errors of libraries take it as well)
    error.errno = _number(error)  # with a name, an error without a number has no text
    error.filename, error.filename2 = str(path), None


@contextmanager
def ending_in_one_line() -> Iterator[None]:
    """Let bad input, or a disk that refuses, end the program with one line and status 1.

    What the block prints shows no secret and holds no control character.
    """
    guard_output()
    try:
        yield
    except InputError as error:
        told = str(error)
    except Exception as error:
        why = refusal(error)
        if why is None:
            raise
        told = f"{_name_in(error) or 'output'}: {why}"
    else:
        return
    sys.exit("error: " + told.replace("\n", "\\n"))  # a file's name may hold a line break
