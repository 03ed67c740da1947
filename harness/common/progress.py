"""Progress with rate and time left: a bar on a terminal, plain lines elsewhere."""

import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TextIO, TypeVar

from harness.common.errors import hide, printable

log = logging.getLogger(__name__)
Step = Callable[[int], object]  # counts so many more done
PLAIN_EVERY_S = 10.0
# How bars are drawn: moves to the beginning of a line, before a text or alone.
_MOVES = re.compile(r"(?:\n|\x1b\[A)+\Z|\r?(?:\x1b\[K)?")
T = TypeVar("T")


class _Guarded:
    """A stream on which no text moves the cursor or shows a secret."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, leaving a bar's own moves as they are."""
        moves = _MOVES.match(text)
        at = moves.end() if moves else 0
        self._stream.write(text[:at] + printable(hide(text[at:]), keep="\t\n"))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each line."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def guard_output() -> None:
    """Hide secrets and write out control characters in all that this process prints or logs.

    Call it first in a program, before logging is set up, and again after an import that replaces
    the streams.
    """
    os.environ.setdefault("PYTHON_COLORS", "0")  # a traceback's colours are control characters too
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, _Guarded):
            setattr(sys, name, _Guarded(stream))


def on_terminal() -> bool:
    """True where a redrawn bar makes sense: a terminal, not DVC and not CI."""
    plain = os.environ.get("DVC_STAGE") or os.environ.get("CI")
    return sys.stderr.isatty() and not plain


def progress(items: Iterable[T], desc: str, total: int | None = None) -> Iterator[T]:
    """Yield the items, showing how many are done, at what rate, and the time left."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with counting(desc, total) as step:
        for item in items:
            yield item
            step(1)


@contextmanager
def counting(desc: str, total: int | None) -> Iterator[Step]:
    """Yield a function that counts ``n`` more done, for work that is not a loop over items."""
    if on_terminal():
        from tqdm import tqdm

        with tqdm(desc=desc, total=total, leave=False, dynamic_ncols=True) as bar:
            yield bar.update
    else:
        yield PlainMeter(desc, total).step


class PlainMeter:
    """Logs a line about every ten seconds; nothing for work that ends sooner."""

    def __init__(self, desc: str, total: int | None) -> None:
        self.desc, self.total, self.done = desc, total, 0
        self.start = self.last = time.monotonic()

    def step(self, n: int = 1) -> None:
        """Count ``n`` more done."""
        self.done += n
        now = time.monotonic()
        if now - self.last < PLAIN_EVERY_S:
            return
        self.last = now
        rate = self.done / (now - self.start)
        of, left = "", ""
        if self.total:
            of, left = f" of {self.total}", f", {(self.total - self.done) / rate:.0f} s left"
        log.info("%s: %d%s, %.3g/s%s", self.desc, self.done, of, rate, left)
