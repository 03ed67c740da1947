"""What runs inside the sandbox: a program, then the calls whose values are wanted.

componentize-py makes a WebAssembly component of this file with CPython around it, a snapshot of the
interpreter as it is after the imports below; each program begins from that snapshot. Without walls
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

# Their import has an effect that a program would notice, or they are of no use in there.
_LEFT_OUT = {"__main__", "antigravity", "idlelib", "pip", "test", "this", "tkinter", "turtledemo"}


def answer(source: str, calls: list[str]) -> str:
    """JSON of the calls' values after the program has run, or of the error that ended it.

    From `exec` on, nothing here can be relied upon; what comes out is checked by the caller.
    """
    try:
        space: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(source, "<program>", "exec"), space)
        return json.dumps({"values": [eval(call, space) for call in calls], "why": ""})
    except BaseException as error:
        return json.dumps({"values": None, "why": type(error).__name__})


def preload() -> None:
    """Import all of the standard library: in there, no file of it can be read later."""
    library = [str(Path(importlib.__file__).parents[1])]
    for module in (*_modules(library, ""), *sys.builtin_module_names):
        # One that is not of this platform fails in the program that imports it just as well.
        with contextlib.suppress(ImportError, AttributeError, OSError):
            importlib.import_module(module)


def _modules(folders: list[str], prefix: str) -> Iterator[str]:
    for found in pkgutil.iter_modules(folders, prefix):
        if not _LEFT_OUT.isdisjoint(found.name.split(".")):
            continue
        yield found.name
        if found.ispkg:
            yield from _modules(
                [f"{folder}/{found.name.rpartition('.')[2]}" for folder in folders],
                f"{found.name}.",
            )


class _Nowhere(io.TextIOBase):
    """Standard output that takes everything and keeps nothing."""

    def write(self, text: str, /) -> int:
        """Say that all of it was written."""
        return len(text)


def _quiet() -> None:
    """Give the program streams that lead nowhere, and a sleep that takes no time."""
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
    random.seed(0)

    class WitWorld(wit_world.WitWorld):
        """The component's one export."""

        def answer(self, source: str, calls: list[str]) -> str:
            """See the function of the same name."""
            return answer(source, calls)
