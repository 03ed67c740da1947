"""What may become of a file that is kept: each leaves it other than it was written."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from harness.common.files import remove


def flipped(path: Path) -> None:
    """One bit of the middle byte is another, and its time of writing the same."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def emptied(path: Path) -> None:
    """Nothing is left in it."""
    path.write_bytes(b"")


def halved(path: Path) -> None:
    """It was cut."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def a_folder(path: Path) -> None:
    """A folder stands in its place."""
    remove(path)
    path.mkdir()


def gone(path: Path) -> None:
    """It is not there."""
    path.unlink()


Harm = Callable[[Path], None]
HARMS: list[Harm] = [flipped, emptied, halved, a_folder, gone]


def fail_in(context: AbstractContextManager[Path], name: str) -> None:
    """Write half of something inside the context, then fail."""
    with context as temporary:
        (temporary / name if name else temporary).write_text("half")
        raise RuntimeError
