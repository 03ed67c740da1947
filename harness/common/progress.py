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

Step = Callable[[int], object]


log = logging.getLogger(__name__)
PLAIN_EVERY_S = 10.0
# What bars are drawn by: the beginning of the line before a text, or nothing but moves.
_MOVES = re.compile(r"(?:\n|\x1b\[A)+\Z|\r?(?:\x1b\[K)?")
T = TypeVar("T")


class _Guarded:
    """A stream on which texts move no cursor and show no secret, whoever writes them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, or what draws a bar."""
        moves = _MOVES.match(text)
        at = moves.end() if moves else 0
        self._stream.write(text[:at] + printable(hide(text[at:]), keep="\t\n"))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def guard_output() -> None:
    """Hide secrets and write out control characters in all that this process prints or logs.

    To be called where a program begins, before logging is set up; and again after an import that
    replaces the streams.
    """
    os.environ.setdefault("PYTHON_COLORS", "0")  # colours of a traceback are such characters too
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
def counting(desc: str, total: int | None) -> Iterator[Callable[[int], object]]:
    """Yield a function that counts so many more done: for work that is no loop over items."""
    if on_terminal():
        from tqdm import tqdm

        with tqdm(desc=desc, total=total, leave=False, dynamic_ncols=True) as bar:
            yield bar.update
    else:
        yield PlainMeter(desc, total).step


class PlainMeter:
    """Logs a line about every ten seconds; says nothing of what ends sooner."""

    def __init__(self, desc: str, total: int | None) -> None:
        """Start the clock."""
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
        if self.total:
            left = (self.total - self.done) / rate
            log.info(
                "%s: %d of %d, %.3g/s, %.0f s left", self.desc, self.done, self.total, rate, left
            )
        else:
            log.info("%s: %d, %.3g/s", self.desc, self.done, rate)
