"""Progress with rate and time left: a bar on a terminal, plain lines elsewhere."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

log = logging.getLogger(__name__)
PLAIN_EVERY_S = 10.0
T = TypeVar("T")


def on_terminal() -> bool:
    """True where a redrawn bar makes sense: a terminal, not DVC and not CI."""
    plain = os.environ.get("DVC_STAGE") or os.environ.get("CI")
    return sys.stderr.isatty() and not plain


def progress(items: Iterable[T], desc: str, total: int | None = None) -> Iterator[T]:
    """Yield the items, showing how many are done, at what rate, and the time left."""
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # pyright: ignore[reportArgumentType]
    if on_terminal():
        from tqdm import tqdm

        yield from tqdm(items, desc=desc, total=total, leave=False, dynamic_ncols=True)
        return
    meter = PlainMeter(desc, total)
    for item in items:
        yield item
        meter.step()


@contextmanager
def counting(desc: str, total: int) -> Iterator[Callable[[int], object]]:
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
