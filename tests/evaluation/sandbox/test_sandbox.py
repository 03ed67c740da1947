"""The outcomes of programs in the sandbox, and that none runs where it does not start.

Hostile ones are in test_sandbox_hostile.py, behind a second wall.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.common.stores import keeping
from harness.evaluation.sandbox import (
    Limits,
    MissingWallError,
    Outcome,
    Program,
    missing_walls,
    run_programs,
    unisolated,
)
from tests.helpers.small_repo import ROOT


def run(source: str, *calls: str, limits: Limits | None = None) -> Outcome:
    return run_programs([Program(source, calls or ("1",))], limits)[0]


def test_values_come_back_in_order_and_identical_programs_run_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    add = Program("def f(x):\n    return x + 1", ("f(1)", "[f(i) for i in range(3)]", "(1, 'a')"))
    other = Program("", ("2 * 3",))
    with caplog.at_level("INFO", logger="harness"):
        outcomes = run_programs([add, other, add])
    assert outcomes[0] == outcomes[2] == Outcome([2, [1, 2, 3], [1, "a"]], "")
    assert outcomes[1] == Outcome([6], "")
    assert "sandbox: 3 programs to run, 2 of them distinct" in caplog.messages


def test_every_program_begins_with_a_fresh_interpreter() -> None:
    first = Program("import math, random\nmath.pi = 3\nx = 1", ("math.pi", "random.random()"))
    second = Program("import math, random", ("math.pi > 3.1 and 'x' not in globals()",))
    third = Program("import random", ("random.random()",))
    outcomes = [outcome.values for outcome in run_programs([first, second, third])]
    assert outcomes[1] == [True]
    assert outcomes[0] is not None
    assert outcomes[2] == outcomes[0][1:], "the same seed"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("def f(", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit", "SystemExit"),
        ("x = object()", "NameError"),
        ("def g(): return g()\ng()", "RecursionError"),
        ("input()", "EOFError"),
        ("while True:\n    pass", "out of instructions"),
        ("x = 'a' * 10**9", "MemoryError"),
        ("import json\njson.loads('[' * 100_000)", "out of stack"),
        ("import socket\nsocket.socket()", "asked for sockets/tcp-create-socket create-tcp-socket"),
        ("import os\nos.abort()", "ended by `unreachable` instruction executed"),
        ("import os\nos._exit(0)", "asked for cli/exit exit"),
        ("'\ud800'", "SyntaxError"),
    ],
)
def test_failures_are_named(source: str, why: str) -> None:
    assert run(source, "missing", limits=Limits(instructions=10**9)) == Outcome(None, why)


def test_time_is_counted_in_instructions() -> None:
    """A program that just has enough of them has enough on a busy machine too."""
    source = "x = sum(range(200_000))"
    least, enough = 10**6, 10**9
    while enough - least > 10**4:
        middle = (enough + least) // 2
        if run(source, "x", limits=Limits(instructions=middle)).values is None:
            least = middle
        else:
            enough = middle
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        for _ in range(3):
            outcome = run(source, "x", limits=Limits(instructions=enough))
            assert outcome.values == [19_999_900_000]
            assert run(source, "x", limits=Limits(instructions=least)).values is None
        busy.kill()


def test_programs_may_be_long_deep_and_use_the_library() -> None:
    assert run("def g(n): return 0 if n == 0 else 1 + g(n - 1)", "g(900)").values == [900]
    assert run("x = [0] * 10**6", "len(x)").values == [1_000_000]
    modules = "email.mime.text, xml.etree.ElementTree, sqlite3, hashlib, decimal, unittest.mock"
    assert run(f"import {modules}", "hashlib.md5(b'a').hexdigest()[:6]").values == ["0cc175"]
    assert run("print('a' * 10**6)\nimport time\ntime.sleep(99)", "1").values == [1]
    clock = run("import datetime, time, os", "datetime.date.today().year", "os.urandom(2).hex()")
    assert clock.values == [2024, "2cd8"], "no program's values depend on when it runs"
    draw = "round(random.random(), 6)"
    assert run("import random", draw, "random.seed()", draw).values == [0.844422, None, 0.844422]


def test_long_and_unreadable_answers_are_refused() -> None:
    assert run("", "'a' * 100_000").why == "answer too long"
    assert run("", "object()").why == "TypeError"
    assert run("import json\njson.dumps = lambda *_: '[' * 50_000").why == "wrote no answer"


def test_the_environment_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_USER", "1")
    assert run("import os", "dict(os.environ)").values == [{}]


def test_many_small_programs_are_quick() -> None:
    programs = [Program(f"def f(x): return x + {i}", ("f(1)",)) for i in range(200)]
    programs += [Program(f"def f(x) return {i}", ("f(1)",)) for i in range(200)]
    start = time.process_time() + sum(os.times()[2:4])
    outcomes = run_programs(programs)
    assert [outcome.values for outcome in outcomes[:200]] == [[i + 1] for i in range(200)]
    assert {outcome.why for outcome in outcomes[200:]} == {"SyntaxError"}
    assert time.process_time() + sum(os.times()[2:4]) - start < 10, "seconds of CPU"


def test_a_program_that_hangs_or_ends_the_worker_affects_only_its_own_outcome(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The engine has no known way to do either: a worker that obeys two words stands in for it."""
    obeys = (
        "import json, os, sys, time\nprint('ready', flush=True)\n"
        "for line in sys.stdin:\n"
        "    source = json.loads(line)[0]\n"
        "    if source == 'hang': time.sleep(600)\n"
        "    if source == 'die': os._exit(9)\n"
        '    found = {"answer": \'{"values": [42], "why": ""}\', "why": ""}\n'
        "    print(json.dumps(found), flush=True)\n"
    )
    (tmp_path / "worker.py").write_text(obeys)
    command = [sys.executable, str(tmp_path / "worker.py")]
    monkeypatch.setattr("harness.evaluation.sandbox._WORKER", command)
    programs = [Program(word, ("1",)) for word in ("", "hang", "fine", "die", "good")]
    outcomes = run_programs(programs, Limits(wall_s=2))
    assert [outcome.values for outcome in outcomes] == [[42], None, [42], None, [42]]
    assert [outcomes[i].why for i in (1, 3)] == ["out of time", "brought the sandbox down"]


def test_a_damaged_guest_is_made_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert missing_walls() == ""
    monkeypatch.setattr("harness.evaluation.sandbox.scratch_folder", lambda *_: tmp_path)
    compiled = tmp_path / "guest.cwasm"
    with keeping(compiled) as temporary:
        temporary.write_bytes(b"code of an engine")
    compiled.write_bytes(b"Code of an engine")
    with caplog.at_level("INFO", logger="harness"):
        assert run("", "6 * 7").values == [42]
    assert f"{compiled}: not what was written there; it is made again" in caplog.messages
    assert compiled.stat().st_size > 10**7


BROKEN = """
import json, resource, sys
from harness.evaluation.sandbox import *
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
found = {"why": missing_walls()}
program = Program("import os\\nx = os.getcwd()", ("x != '/'", "6 * 7"))
try:
    found["outcome"] = run_programs([program])[0].values
except MissingWallError as error:
    found["refused"] = str(error)
with unisolated(True):
    found["unisolated"] = run_programs([program])[0].values
with unisolated(False):
    try:
        run_programs([program])
    except MissingWallError as error:
        found["refused again"] = str(error)
print(json.dumps(found))
"""


def test_where_the_wall_is_broken_nothing_runs() -> None:
    """Broken for real: with 3 GiB of addresses, wasmtime cannot set up the memory of a program."""
    assert missing_walls() == ""
    done = subprocess.run(
        [sys.executable, "-c", BROKEN], cwd=ROOT, capture_output=True, text=True, check=True
    )
    report = json.loads(done.stdout)
    assert "outcome" not in report
    assert report["refused"] == report["refused again"] == report["why"]
    assert report["why"].startswith("the sandbox does not start: ")
    assert "evaluate.allow_unisolated" in report["why"]
    assert report["unisolated"] == [True, 42], "by this switch alone, in a folder of this machine"


def test_without_the_packages_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import version

    monkeypatch.setattr("harness.evaluation.sandbox.version", lambda name: version(f"no-{name}"))
    assert "no-componentize-py is not installed; make env" in missing_walls()
    with pytest.raises(MissingWallError, match="make env"):
        run("", "6 * 7")


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_unisolated_programs_have_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(self: object, limits: Limits) -> None:
        raise MissingWallError("not to be had")

    monkeypatch.setattr("harness.evaluation.sandbox._Worker.__init__", missing)
    with unisolated(True):
        assert run("", "6 * 7", "[1, (2,)]").values == [42, [1, [2]]]
        assert run("print(1)\nimport os", "dict(os.environ).keys() <= {'LC_CTYPE'}").values == [
            True
        ]
        assert run("while True: pass").why == "ended with status -9 and no answer"
        assert run("x = 'a' * 10**9").why == "MemoryError"
        assert run("import os\nos._exit(0)").why == "ended with status 0 and no answer"
        assert run("", "'a' * 100_000").why == "answer too long"
        assert run("import sys\nsys.stdin.read()\ninput()").why == "EOFError"
        wait = "import os, select\nif not os.fork():\n    select.select([], [], [], 99)\n"
        (group,) = run(wait + "pid = os.getpid()", "pid").values or [0]
        end = time.monotonic() + 10
        while _alive(group) and time.monotonic() < end:
            time.sleep(0.1)
        assert not _alive(group), "what it started ends with it"
        slow = "import select\nselect.select([], [], [], 99)"
        assert run(slow, limits=Limits(wall_s=1)).why == "out of time"


def test_nothing_is_left_running_or_lying(tmp_path: Path) -> None:
    # In a process of its own, so that other tests' children do not count.
    script = (
        "import os, tempfile\n"
        f"tempfile.tempdir = {str(tmp_path)!r}\n"
        "from harness.evaluation.sandbox import *\n"
        "run_programs([Program('x = 1', ('x',))])\n"
        "print(os.listdir(tempfile.tempdir))\n"
        "try:\n    os.waitpid(-1, os.WNOHANG); print('a child is left')\n"
        "except ChildProcessError:\n    print('no child')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == ["[]", "no child"]
