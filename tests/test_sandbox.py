"""What a program in the sandbox cannot do. Each attempt is made for real."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import sandbox
from harness.sandbox import Isolation, Limits, Outcome, Program, isolation, run_programs


@pytest.fixture(scope="module")
def layers() -> Isolation:
    return isolation()


def run(source: str, *calls: str, limits: Limits | None = None) -> Outcome:
    return run_programs([Program(source, calls or ("1",))], limits)[0]


def test_values_come_back_in_order_and_identical_programs_share_them() -> None:
    add = Program("def f(x):\n    return x + 1", ("f(1)", "[f(i) for i in range(3)]", "(1, 'a')"))
    stamp = Program("import time", ("time.monotonic_ns()",))
    outcomes = run_programs([add, stamp, add, stamp])
    assert outcomes[0] == outcomes[2] == Outcome([2, [1, 2, 3], [1, "a"]], "")
    assert outcomes[1].values == outcomes[3].values, "run once"


def test_programs_do_not_see_each_other() -> None:
    first = Program("import math\nmath.pi = 3\nopen('left', 'w').close()", ("math.pi",))
    second = Program("import math, os", ("math.pi > 3.1", "os.listdir('.')"))
    assert [outcome.values for outcome in run_programs([first, second])] == [[3], [True, []]]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("def f(", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit", "SystemExit"),
        ("x = object()", "NameError"),
        ("def g(): return g()\ng()", "RecursionError"),
        ("import ctypes\nctypes.string_at(0)", "ended with status -11 and no answer"),
    ],
)
def test_failures_are_named(source: str, why: str) -> None:
    assert run(source, "missing") == Outcome(None, why)


def test_an_endless_loop_is_killed() -> None:
    start = time.monotonic()
    outcome = run("while True:\n    pass", limits=Limits(cpu_s=0.3))
    assert outcome == Outcome(None, "out of CPU time")
    assert time.monotonic() - start < 10


def test_an_endless_wait_is_killed() -> None:
    outcome = run("import time\ntime.sleep(1000)", limits=Limits(wall_s=0.5))
    assert outcome == Outcome(None, "out of time")


def test_a_loop_that_ignores_signals_is_killed() -> None:
    source = (
        "import signal\nfor s in range(1, 32):\n    try:\n        signal.signal(s, signal.SIG_IGN)"
    )
    source += "\n    except Exception:\n        pass\nwhile True:\n    pass"
    assert run(source).why == "out of CPU time"


def test_memory_is_bounded() -> None:
    assert run("x = 'a' * 10**9").why == "MemoryError"
    assert run("x = [0] * 10**6", "len(x)").values == [1_000_000]


def test_no_process_can_be_made(layers: Isolation) -> None:
    if not layers.seccomp and os.getuid() == 0:
        pytest.skip(f"root is not bound by RLIMIT_NPROC, and {layers.why}")
    fork = "import os\nmade = 0\ntry:\n    while True:\n        if os.fork() == 0:\n"
    fork += "            os._exit(0)\n        made += 1\nexcept OSError:\n    pass"
    assert run(fork, "made").values == [0]
    assert run("import threading\nthreading.Thread(target=print).start()").why == "RuntimeError"
    assert run("import os\nos.execv('/bin/sh', ['sh'])").why in {
        "PermissionError",
        "FileNotFoundError",
    }


def test_files_are_bounded() -> None:
    write = "import os\nwith open('x', 'w') as f:\n    f.write('a' * {})"
    assert run(write.format(1000), "os.path.getsize('x')").values == [1000]
    assert run(write.format(4 * 10**6)).why == "OSError"


def test_nothing_of_this_machine_can_be_written_or_read(layers: Isolation, tmp_path: Path) -> None:
    if not layers.namespaces:
        pytest.skip(f"no namespaces here: {layers.why}")
    secret = tmp_path / "secret"
    secret.write_text("expected")
    tmp_path.chmod(0o777)
    secret.chmod(0o666)
    assert run(f"open({str(secret)!r})").why == "FileNotFoundError"
    assert run(f"open({str(secret)!r}, 'w')").why == "FileNotFoundError"
    assert run("import os, json", "os.path.exists('/proc')", "os.path.exists('/home')").values == [
        False,
        False,
    ]
    # The one thing that is there is Python's library, and it is read-only.
    assert run("import os, json\nopen(json.__file__, 'a')").why in {"OSError", "PermissionError"}
    assert secret.read_text() == "expected"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_the_network_is_refused(layers: Isolation, listener: socket.socket) -> None:
    if not (layers.namespaces or layers.seccomp):
        pytest.skip(f"neither namespaces nor seccomp here: {layers.why}")
    port = listener.getsockname()[1]
    socket.create_connection(("127.0.0.1", port), timeout=5).close()  # it can be reached from here
    outcome = run(f"import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=1)")
    assert outcome.values is None
    assert outcome.why in {"PermissionError", "OSError", "ConnectionRefusedError"}


def test_the_environment_and_the_folder_are_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_USER", "1")
    outcome = run("import os, sys", "dict(os.environ)", "os.listdir('.')", "sys.flags.isolated")
    assert outcome.values == [{}, [], 1]


def test_long_and_unreadable_answers_are_refused() -> None:
    assert run("", "'a' * 100_000").why == "answer too long"
    assert run("", "object()").why == "TypeError"
    assert run("import os\nos.write(3, b'[' * 50_000)\nos._exit(0)").why == "wrote no answer"


def test_many_small_programs_are_quick() -> None:
    programs = [Program(f"def f(x): return x + {i}", ("f(1)",)) for i in range(200)]
    programs += [Program(f"def f(x) return {i}", ("f(1)",)) for i in range(200)]
    start = time.monotonic()
    outcomes = run_programs(programs)
    assert [outcome.values for outcome in outcomes[:200]] == [[i + 1] for i in range(200)]
    assert {outcome.why for outcome in outcomes[200:]} == {"SyntaxError"}
    assert time.monotonic() - start < 20


def test_endless_loops_use_up_the_batch_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    """What comes before them is run, they are ended, what comes after is told as not run."""
    loops = [Program(f"while {i} < 1000:\n    pass", ("1",)) for i in range(300)]
    honest = Program("", ("6 * 7",))
    start = time.monotonic()
    outcomes = run_programs([honest, *loops], Limits(cpu_s=0.1, batch_cpu_s=1.0))
    assert time.monotonic() - start < 20, "each by itself they would take half a minute and more"
    whys = [outcome.why for outcome in outcomes]
    ran = whys.count("out of CPU time")
    assert outcomes[0].values == [42]
    assert 2 <= ran <= 10
    assert whys == ["", *["out of CPU time"] * ran, *["not run"] * (300 - ran)]
    assert f"warning: sandbox: {300 - ran} of 301 programs were not run" in caplog.text


def test_endless_waits_use_up_the_batch_too() -> None:
    waits = [Program(f"import time\ntime.sleep({i})", ("1",)) for i in range(100, 200)]
    whys = [o.why for o in run_programs(waits, Limits(wall_s=0.2, batch_wall_s=1.0))]
    assert whys[0] == "out of time"
    assert 90 <= whys.count("not run") < 100


def test_how_many_programs_run_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="harness"):
        run_programs([Program("", ("1",)), Program("", ("1",)), Program("", ("2",))])
    assert caplog.messages == ["sandbox: 3 programs to run, 2 of them distinct"]


def test_nothing_is_left_running_or_lying() -> None:
    # In a process of its own, so that other tests' children do not count.
    script = (
        "import os, subprocess, tempfile, sys\n"
        "folder = tempfile.mkdtemp(); tempfile.tempdir = folder\n"
        "from harness.sandbox import *\n"
        "run_programs([Program('import time\\ntime.sleep(9)', ('1',))], Limits(wall_s=0.3))\n"
        "print(os.listdir(folder))\n"
        "try:\n    os.waitpid(-1, os.WNOHANG); print('a child is left')\n"
        "except ChildProcessError:\n    print('no child')\n"
        "os.rmdir(folder)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == ["[]", "no child"]


def test_a_sandbox_that_dies_is_no_verdict(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "supervisor.py"
    broken.write_text("import sys\nsys.exit('out of order')")
    monkeypatch.setattr("harness.sandbox._CHILD", broken)
    with pytest.raises(
        RuntimeError, match="died with status 1 after 0 of 1 programs: out of order"
    ):
        run("x = 1")


@pytest.mark.parametrize("lost", ["enter_namespaces", "seccomp_filter"])
def test_without_a_layer_the_others_hold_and_it_is_said(
    lost: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # The same supervisor where the kernel refuses one layer.
    for file in sandbox._CHILD.parent.glob("*.py"):
        (tmp_path / file.name).write_text(file.read_text())
    refusal = {
        "enter_namespaces": "raise OSError(1, 'unshare: Operation not permitted')",
        "seccomp_filter": "return None",
    }
    with (tmp_path / "confinement.py").open("a") as file:
        file.write(f"\n\ndef {lost}(*_):\n    {refusal[lost]}\n")
    monkeypatch.setattr("harness.sandbox._CHILD", tmp_path / "supervisor.py")
    found = isolation()
    assert found.namespaces == (lost != "enter_namespaces")
    assert found.seccomp == (lost != "seccomp_filter")
    assert ("Operation not permitted" in found.why) == (lost == "enter_namespaces")
    assert run("", "6 * 7").values == [42]
    assert run("while True:\n    pass").why == "out of CPU time"
    assert run("x = 'a' * 10**9").why == "MemoryError"
    assert run("open('x', 'w').write('a' * (4 * 10**6))").why == "OSError"
    assert run("import os", "dict(os.environ)", "os.listdir('.')").values == [{}, []]
    network = "import socket\ns = socket.create_connection(('127.0.0.1', 9), timeout=1)"
    assert run(network).values is None
