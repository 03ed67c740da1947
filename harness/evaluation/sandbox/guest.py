"""Runs inside the sandbox: executes a program, then evaluates its calls.

componentize-py builds a WebAssembly component from this file and CPython, a snapshot of the
interpreter after the imports below; each program starts from that snapshot. Without the sandbox
(`evaluate.allow_unisolated`) the file is a script, run once a program. Standard library only.
"""

import contextlib
import importlib
import io
import json
import pkgutil
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Importing them has an effect that a program would notice, or they are useless inside.
_LEFT_OUT = {"__main__", "antigravity", "idlelib", "pip", "test", "this", "tkinter", "turtledemo"}


def answer(source: str, calls: list[str]) -> str:
    """JSON of the calls' values after the program has run, or of the error that ended it.

    From `exec` on, nothing here can be relied on; the caller checks the result.
    """
    try:
        space: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(source, "<program>", "exec"), space)
        return json.dumps({"values": [eval(call, space) for call in calls], "why": ""})
    except BaseException as error:
        return json.dumps({"values": None, "why": type(error).__name__})


def preload() -> None:
    """Import the whole standard library, as no file can be read later."""
    library = [str(Path(importlib.__file__).parents[1])]
    for module in (*_modules(library, ""), *sys.builtin_module_names):
        # A module of another platform fails just as well in the program that imports it.
        with contextlib.suppress(ImportError, AttributeError, OSError):
            importlib.import_module(module)


def _modules(folders: list[str], prefix: str) -> Iterator[str]:
    for module in pkgutil.iter_modules(folders, prefix):
        if not _LEFT_OUT.isdisjoint(module.name.split(".")):
            continue
        yield module.name
        if module.ispkg:
            yield from _modules(
                [f"{folder}/{module.name.rpartition('.')[2]}" for folder in folders],
                f"{module.name}.",
            )


class _Nowhere(io.TextIOBase):
    """An output stream that discards everything."""

    def write(self, text: str, /) -> int:
        """Discard the text."""
        return len(text)


def _quiet() -> None:
    """Give the program streams without content, and a sleep that takes no time."""
    sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = _Nowhere()
    sys.stdin = sys.__stdin__ = io.StringIO()
    time.sleep = lambda seconds, /: None


def _as_script() -> None:
    """Run one program with the caller's rights: [source, calls, seconds of CPU, MiB] on stdin."""
    import os
    import resource

    source, calls, seconds, mega = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (mega << 20, mega << 20))
    out = os.fdopen(os.dup(1), "w")
    _quiet()
    out.write(answer(source, calls))
    out.flush()
    os._exit(0)


if __name__ == "__main__":
    _as_script()
else:
    import wit_world  # pyright: ignore[reportMissingImports]  # made by componentize-py

    preload()
    _quiet()
    # componentize-py seeds it anew before each program, by 2,496 random bytes that the host would
    # convert one by one: that took 4 of the 6 ms of a program.
    _seed = random.seed
    random.seed = lambda a=None, version=2: _seed(0 if a is None else a, version)
    random.seed()

    class WitWorld(wit_world.WitWorld):
        """The component's one export."""

        def answer(self, source: str, calls: list[str]) -> str:
            """See the function of the same name."""
            return answer(source, calls)
