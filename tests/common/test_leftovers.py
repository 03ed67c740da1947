"""What a killed writer leaves behind is removed, what a living one is writing is not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.common.files import replacing, replacing_folder
from harness.params.pruning import prune
from tests.helpers.build_runs import ROOT, build_runs

WRITER = """
import sys, time
from pathlib import Path
from harness.common.files import replacing, replacing_folder
make = {"file": replacing, "folder": replacing_folder}[sys.argv[1]]
with make(Path(sys.argv[2])) as temporary:
    half = temporary / "half" if temporary.is_dir() else temporary
    half.write_text("half")
    print(temporary, flush=True)
    time.sleep(600)
"""


def start_writer(kind: str, target: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process in the middle of writing the target, and the temporary path it writes to."""
    command = [sys.executable, "-c", WRITER, kind, str(target)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    writer = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
    assert writer.stdout
    return writer, Path(writer.stdout.readline().strip()).absolute()


def kill(writer: subprocess.Popen[str]) -> None:
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    if writer.stdout:
        writer.stdout.close()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_next_writer_removes_what_a_killed_one_left(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "scores.parquet"
    writer, half = start_writer(kind, target)
    other, theirs = start_writer(kind, tmp_path / "other.parquet")
    write = {"file": replacing, "folder": replacing_folder}[kind]
    try:
        with write(target):
            assert half.exists(), "its writer is alive"
        kill(writer)
        assert half.exists(), "the case this test is about"
        with write(target):
            assert not half.exists()
        kill(other)
        assert sorted(tmp_path.iterdir()) == sorted([target, theirs]), "of another target"
    finally:
        kill(writer)
        kill(other)


def test_pruning_removes_them_in_the_cells_that_params_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    params = build_runs(tmp_path, further={}, studies={})
    first = params.cells("main")[0]
    cell = Path("runs") / first.path
    before = sorted(Path().rglob("*"))
    writers = [
        start_writer("file", cell / "metrics.json"),
        start_writer("file", cell / "train" / "seed_0.json"),
        start_writer("folder", cell / "train"),
        start_writer("folder", Path("data/subsets") / first.of),
    ]
    halves = sorted(half for _, half in writers)
    try:
        assert prune(params) == []
        assert all(half.exists() for half in halves), "their writers are alive"
    finally:
        for writer, _ in writers:
            kill(writer)
    assert sorted(p.absolute() for p in prune(params)) == halves
    assert sorted(Path().rglob("*")) == before
