"""Control characters in texts and names move no cursor: they are written out on the screen."""

import json
import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from harness.common.errors import printable
from tests.helpers.shell_repo import ROOT

HOSTILE = "\x1b]0;pwned\x07\x1b[2J\rerror: all is well\x08\x9b31m\u202egnp.exe\u2066\u2028\x7f"
CONTROLS = re.compile(r"[^\n\t -~\u00a0-\uffff]|[\u0080-\u009f\u2028-\u202e\u2066-\u2069]")
PROGRAM = f"""
import logging, sys, warnings
from harness.common.disk_errors import ending_in_one_line
hostile = {HOSTILE!r}
with ending_in_one_line():
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    print("printed", hostile)
    print(hostile)
    sys.stdout.writelines(["lines " + hostile, "\\n"])
    logging.warning("logged %s", hostile)
    warnings.warn("warned " + hostile)
    if sys.argv[1] == "crash":
        raise RuntimeError(hostile)
    if sys.argv[1] == "exit":
        sys.exit("left: " + hostile)
    open("no such " + hostile)
"""


def clean(text: str) -> None:
    result = CONTROLS.search(text)
    assert result is None, repr(text[max(0, result.start() - 40) : result.end() + 40])


def test_what_is_written_out() -> None:
    assert printable("a\tb\nc é 你 🙂", "\t\n") == "a\tb\nc é 你 🙂"
    written = printable(HOSTILE)
    assert printable("a\tb\n") == r"a\tb\n"
    clean(written)
    assert written.startswith("\\x1b]0;pwned\\x07\\x1b[2J\\rerror: all is well\\x08\\x9b31m\\u202e")
    assert printable("half \udcff") == "half \\udcff"


@pytest.mark.parametrize("how", ["crash", "exit", "refused"])
def test_every_way_to_the_screen_is_guarded(how: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], cwd=tmp_path, env=environment, capture_output=True
    )
    assert done.returncode == 1
    out, errors = done.stdout.decode(), done.stderr.decode()
    clean(out)
    clean(errors)
    assert out.count("]0;pwned") == 3
    for message in ("logged \\x1b]0;pwned", "warned \\x1b]0;pwned"):
        assert message in errors
    last = {"crash": "RuntimeError: ", "exit": "left: ", "refused": "FileNotFoundError: "}[how]
    assert errors.splitlines()[-1].startswith(last)


def test_a_pool_of_hostile_texts_and_names(tmp_path: Path) -> None:
    rows = [{"id": HOSTILE, "prompt": "a", "completion": "b"}] * 2
    (tmp_path / "pool\x1b[2J.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-m", "harness", "select", "--sampler", "random", "--budget", "1"]
    for pool in ("pool\x1b[2J.jsonl", "none\n\x1b[2J.jsonl"):
        done = subprocess.run(
            [*command, "--pool", pool, "--out", "subset.jsonl"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert "\\x1b[2J.jsonl" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        clean(done.stdout + done.stderr)


BAR = """
from harness.common.progress import counting, guard_output, progress
guard_output()
for _ in progress(range(3), "working", 3):
    pass
with counting("outer", 2) as outer, counting("inner", 2) as inner:
    outer(1)
    inner(1)
print("done")
"""


def test_bars_are_drawn_as_before() -> None:
    """On a terminal: each redraws its line, and one below another finds its own."""
    here, there = pty.openpty()
    termios.tcsetwinsize(there, (24, 80))
    environment = {
        k: v for k, v in os.environ.items() if k not in ("CI", "DVC_STAGE", "TQDM_DISABLE")
    }
    environment |= {"PYTHONPATH": str(ROOT), "TERM": "xterm"}
    done = subprocess.run(
        [sys.executable, "-c", BAR], env=environment, stdout=there, stderr=there, timeout=60
    )
    os.close(there)
    seen = os.read(here, 100_000).decode()
    os.close(here)
    assert done.returncode == 0
    assert re.search(r"\rworking:  *\d+%\|", seen)
    assert re.search(r"\n\rinner: .*\x1b\[A", seen)
    assert "\\x" not in seen
    assert seen.endswith("done\r\n")
