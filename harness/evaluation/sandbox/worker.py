"""The sandbox's worker, a script: runs programs in WebAssembly, one after another.

`worker.py make FILE` writes the compiled guest. `worker.py run FILE LIMITS` loads it, writes a line
once it works, then for each line [source, calls] writes a line {"answer", "why"}. It imports
wasmtime, runs componentize-py to make the guest, and uses nothing of this package.
"""

import json
import os
import random
import re
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import wasmtime
from wasmtime.component import Component, Linker, Record

_HERE = Path(__file__).parent
_CLOCK_STEP = 1_000_000  # nanoseconds between one reading of the clock and the next
_EPOCH = 1_704_067_200  # 2024-01-01, where every program's clock begins
# What a program may request from the host, which instructions do not meter.
_HOST_CALLS, _RANDOM_BYTES = 10_000, 65_536


class SpentError(Exception):
    """A program requested more from the host than it may."""


class Host:
    """What is linked into the guest: an empty environment, no files, a clock, random bytes.

    Nothing else of WASI exists: no sockets, streams or waits. The clock counts its readings, and
    the bytes are seeded, so that a program's values do not depend on when it ran.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start over for the next program."""
        self.calls, self.bytes, self.random = 0, 0, random.Random(0)

    def link(self, engine: wasmtime.Engine, component: Component) -> Linker:
        """A linker in which every import but these ends the program."""
        linker = Linker(engine)
        linker.define_unknown_imports_as_traps(component)
        linker.allow_shadowing = True
        given = {
            "wasi:cli/environment": {
                "get-environment": lambda _: [],
                "get-arguments": lambda _: [],
                "initial-cwd": lambda _: None,
            },
            "wasi:filesystem/preopens": {"get-directories": lambda _: []},
            "wasi:clocks/monotonic-clock": {"now": lambda _: self.now()},
            "wasi:clocks/wall-clock": {"now": lambda _: self.wall()},
            "wasi:random/random": {"get-random-bytes": lambda _, size: self.draw(size)},
        }
        versions = dict(name.split("@") for name in component.type.imports(engine) if "@" in name)
        with linker.root() as root:
            for interface, functions in given.items():
                with root.add_instance(f"{interface}@{versions[interface]}") as instance:
                    for name, function in functions.items():
                        instance.add_func(name, function)
        return linker

    def now(self) -> int:
        """Nanoseconds since the program began."""
        self.calls += 1
        if self.calls > _HOST_CALLS:
            raise SpentError(f"looked at the clock {_HOST_CALLS} times")
        return self.calls * _CLOCK_STEP

    def wall(self) -> Record:
        """The time of day, as WASI's record of it."""
        time = Record()
        seconds, nanoseconds = divmod(self.now(), 10**9)
        vars(time).update(seconds=_EPOCH + seconds, nanoseconds=nanoseconds)
        return time

    def draw(self, size: int) -> bytes:
        """Random bytes."""
        self.bytes += size
        if self.bytes > _RANDOM_BYTES:
            raise SpentError(f"drew over {_RANDOM_BYTES} random bytes")
        return self.random.randbytes(size)


def engine() -> wasmtime.Engine:
    """The engine that compiles and runs the guest; the limits rely on each of its settings."""
    config = wasmtime.Config()
    config.consume_fuel = True
    config.cranelift_nan_canonicalization = True
    config.max_wasm_stack = (2 << 20) - (64 << 10)  # just under the engine's own stack
    return wasmtime.Engine(config)


def compile_guest(engine: wasmtime.Engine) -> bytes:
    """CPython with guest.py inside, compiled for this machine; takes 15 s."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("guest.py", "guest.wit"):
            (folder / file).write_text((_HERE / file).read_text(encoding="utf-8"), encoding="utf-8")
        command = [sys.executable, "-I", "-c", "import componentize_py; componentize_py.script()"]
        command += ["-q", "-d", "guest.wit", "-w", "guest"]
        command += ["componentize", "guest", "-p", ".", "-o", "guest.wasm"]
        # No environment to find packages in: only the standard library is included.
        env = {"PATH": os.defpath, "VIRTUAL_ENV": name, "TMPDIR": name}
        made = subprocess.run(command, cwd=folder, env=env, stdout=subprocess.DEVNULL, check=False)
        if made.returncode:  # the error is on standard error already
            sys.exit(made.returncode)
        return bytes(Component.from_file(engine, str(folder / "guest.wasm")).serialize())


def answer(
    linker: Linker, component: Component, program: tuple[str, list[str]], limits: dict[str, Any]
) -> dict[str, str]:
    """Run one program in an instance of its own; returns its answer, or why there is none."""
    # Closed at once: megabytes of memory would otherwise wait for the garbage collector.
    with closing(wasmtime.Store(linker.engine)) as store:
        store.set_fuel(limits["instructions"])
        store.set_limits(memory_size=limits["memory_mb"] << 20)
        # A failure up to here is the machine's, not the program's: it ends the worker.
        call = linker.instantiate(store, component).get_func(store, "answer")
        assert call is not None
        try:
            text = call(store, *program)
        except (wasmtime.WasmtimeError, wasmtime.Trap, wasmtime.ExitTrap, SpentError) as error:
            return {"answer": "", "why": reason(error)}
        except UnicodeEncodeError:
            return {"answer": "", "why": "SyntaxError"}  # a lone surrogate is not valid Python
    if len(text.encode()) > limits["answer_bytes"]:
        return {"answer": "", "why": "answer too long"}
    return {"answer": text, "why": ""}


def reason(error: Exception) -> str:
    """Why the engine ended a program, in a few words."""
    text = str(error)
    if "all fuel consumed" in text:
        return "out of instructions"
    if "call stack exhausted" in text:
        return "out of stack"
    if asked := re.search(r"unknown import: `wasi:([^@`]*)@[^#`]*#([^`]*)`", text):
        return f"asked for {asked[1]} {asked[2]}"
    if isinstance(error, SpentError):
        return text
    if trap := re.search(r"wasm trap: (?:wasm )?(.*)", text):
        return f"ended by {trap[1]}"[:100]
    return f"ended by {type(error).__name__}"


def serve(compiled: str, limits: dict[str, Any]) -> None:
    """Run programs until the input ends."""
    host, machine = Host(), engine()
    component = Component.deserialize_file(machine, compiled)
    linker = host.link(machine, component)
    first = answer(linker, component, ("", ["6 * 7"]), limits)
    if json.loads(first["answer"] or "{}").get("values") != [42]:
        sys.exit(f"its first program failed: {first}")
    say("ready")
    for line in sys.stdin:
        host.begin()
        say(json.dumps(answer(linker, component, json.loads(line), limits)))


def say(line: str) -> None:
    """Write a line to the process that started the worker."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1] == "make":
        Path(sys.argv[2]).write_bytes(compile_guest(engine()))
    else:
        serve(sys.argv[2], json.loads(sys.argv[3]))
