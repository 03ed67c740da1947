"""`python -m harness` as a shell sees it: at once where asked for help, killed, on a full disk."""

import json
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.select_files import chosen, embedding, pool, shell, words
from tests.helpers.small_repo import ROOT, environment

HEAVY = ("torch", "transformers", "pandas", "sklearn", "scipy", "numba", "datasets", "pyarrow")


@pytest.mark.parametrize(
    "given",
    [[], ["--help"], ["select", "--help"], ["select", "--list"], ["relative-score", "--help"]],
)
def test_help_answers_at_once(given: list[str], tmp_path: Path) -> None:
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['harness', *{given}]\n"
        "try:\n"
        "    runpy.run_module('harness', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        f"print('loaded', [m for m in {HEAVY} if m in sys.modules])\n"
    )
    env = {**environment(), "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    lines = done.stdout.splitlines()
    assert lines[-1] == "loaded []", done.stderr
    assert max(map(len, lines)) <= 80
    assert any("kmq" in line if "--list" in given else "usage: " in line for line in lines)


def test_a_subset_from_the_shell(tmp_path: Path) -> None:
    given = words(pool(tmp_path), tmp_path / "out.jsonl", "k_center", "--embeddings")
    done = shell(tmp_path, "select", *given, str(embedding(tmp_path)))
    assert done.returncode == 0, done.stderr
    assert len(chosen(tmp_path / "out.jsonl")) == 5
    assert done.stdout.startswith(f"{tmp_path}/out.jsonl: 5 of 40 rows, in the order chosen")
    assert "facility location" in done.stdout


def test_a_note_is_said_once(tmp_path: Path) -> None:
    given = words(pool(tmp_path), tmp_path / "out.jsonl", "deita", "--quality", "length")
    more = ("--embeddings", str(embedding(tmp_path)), "--param", "threshold=-1")
    done = shell(tmp_path, "select", *given, *more)
    assert (done.stdout + done.stderr).count("4 of 5 are of those passed over") == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["slect"], "error: no command is called 'slect'; did you mean 'select'?"),
        (["relative"], "error: no command is called 'relative'; did you mean 'relative-score'?"),
        (["select", "--pol", "x"], "error: --pol: no such option; did you mean '--pool'?"),
        (["select", "--on-bad-row", "x"], "error: argument --on-bad-row: invalid choice: 'x'"),
        (["select", "--pool"], "error: argument --pool: expected one argument"),
    ],
)
def test_a_wrong_command_is_one_line(given: list[str], message: str, tmp_path: Path) -> None:
    done = shell(tmp_path, *given)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(message)
    assert len(done.stderr.splitlines()) == 1


def test_a_disk_that_is_full_leaves_the_old_subset(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    given = words(pool(tmp_path, 400), Path("disk/out.jsonl"), "random", "--force", budget=0.9)
    command = shlex.join([sys.executable, "-m", "harness", "select", *given])
    mount = "mount -t tmpfs -o size=16k none disk"
    script = f"{mount} && cd . && printf old > disk/out.jsonl && {command}; echo status $?"
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*inside, mount], cwd=tmp_path, capture_output=True).returncode:
        pytest.skip("this kernel lets no user mount a file system of its own")
    env = {**environment(), "PYTHONPATH": str(ROOT)}
    whole = [*inside, f"{script}; cat disk/out.jsonl; ls -A disk"]
    done = subprocess.run(whole, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.stdout == "status 1\noldout.jsonl\n"
    want = "error: disk/out.jsonl: the disk is full; free some space and run it again"
    assert done.stderr.splitlines()[-1] == want


PROGRAM = """
import runpy, signal, sys
from harness.select_command import pool_file

def write_half(pool, picks, form, out, target):
    target.write_bytes(b"half")
    print("half written", flush=True)
    signal.pause()

pool_file.write_rows = write_half
sys.argv = ["harness", *sys.argv[1:]]
runpy.run_module("harness", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_killed_command_leaves_the_old_subset(number: signal.Signals, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("old")
    given = words(pool(tmp_path), out, "random", "--force")
    before = sorted(tmp_path.iterdir())
    env, pipe = {**environment(), "PYTHONPATH": str(ROOT)}, subprocess.PIPE
    command = [sys.executable, "-c", PROGRAM, "select", *given]
    with subprocess.Popen(command, env=env, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half written\n"
        process.send_signal(number)
        _, message = process.communicate(timeout=60)
    assert out.read_text() == "old"
    if number == signal.SIGKILL:
        left = set(tmp_path.iterdir()) - set(before)
        assert left
        assert shell(tmp_path, "select", *given).returncode == 0
        assert not left & set(tmp_path.iterdir()), "the next run removes what is half"
        return
    assert process.returncode == 130
    assert message.endswith("\nstopped\n")
    assert sorted(tmp_path.iterdir()) == before


def test_the_reader_of_a_pipe_may_leave(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "harness", "select", "--list"]
    env = {**environment(), "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=env, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""


def test_the_file_beside_a_subset_names_no_place_of_its_own(tmp_path: Path) -> None:
    pool(tmp_path)
    embedding(tmp_path)
    given = words(Path("my.jsonl"), Path("out.jsonl"), "km_random", "--embeddings", "my.npy")
    assert shell(tmp_path, "select", *given).returncode == 0
    text = (tmp_path / "out.jsonl.provenance.json").read_text()
    assert str(tmp_path) not in text
    assert time.strftime("%Y-%m") not in text
    assert json.loads(text)["pool"]["name"] == "my.jsonl"
