"""The runner behind `make repro`, on a real DVC repository whose stages are shell commands."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from pipeline.make.runner import Graph, Runner
from tests.helpers.shell_repo import command, make_repo, ran, repro, text, trace, wait_for, workers

# Takes DVC's lock when it is free, holds it longer than `dvc repro` waits, and says when.
HOLD_LOCK = """
import sys, time, zc.lockfile
while True:
    try:
        lock = zc.lockfile.LockFile(sys.argv[1])
        break
    except zc.lockfile.LockError:
        time.sleep(0.02)
print("held", flush=True)
time.sleep(4)
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which nothing has run yet."""
    return make_repo(tmp_path_factory.mktemp("fresh"))


@pytest.fixture(scope="module")
def first_run(fresh: Path) -> subprocess.CompletedProcess[str]:
    """What `make repro` said the first time in ``fresh``."""
    for name in "xy":
        (fresh / f"slow_train_{name}").write_text("4")
    ended = repro(fresh, gpus="4,7")
    for name in "xy":
        (fresh / f"slow_train_{name}").unlink()
    return ended


@pytest.fixture
def repo(fresh: Path, first_run: object, tmp_path: Path) -> Path:
    """A copy in which everything has run once, and both trainings are out of date since."""
    copy = tmp_path / "repo"
    shutil.copytree(fresh, copy)
    trace(copy)
    for name in "xy":
        (copy / f"only_{name}").write_text("new\n")
    return copy


def test_first_run(fresh: Path, first_run: subprocess.CompletedProcess[str]) -> None:
    """Shared stages first, then side by side, then what waits for all; the table at the end."""
    assert first_run.returncode == 0, first_run.stdout + first_run.stderr
    lines = text(fresh / "trace").splitlines()
    cards = {line.split("gpu=")[1].split()[0] for line in lines if "gpu=" in line}
    assert cards == {"4", "7"}
    assert all(" omp=1" in line for line in lines if "gpu=" in line) or os.environ.get(
        "OMP_NUM_THREADS"
    )
    events = trace(fresh)
    at = {(name, what): seconds for name, what, seconds in events}
    assert [name for name, what, _ in events if what == "begin"][:2] == ["prepare", "base"]
    assert ("unrelated", "begin") not in at
    begins = [at["train_x", "begin"], at["train_y", "begin"]]
    assert max(begins) < min(at["train_x", "end"], at["train_y", "end"])
    assert at["base", "end"] < min(begins)
    assert at["report", "begin"] > max(at["train_x", "end"], at["train_y", "end"])
    assert "stage 5 of 5: report done" in first_run.stdout
    # What a stage notes is shown below the line that says it is done.
    done = next(line for line in first_run.stdout.splitlines() if ": base done" in line)
    noted = "  note: base: 2 of 9 rows dropped: blank response 2\n  warning: base: not run: code\n"
    assert f"{done}\n{noted}" in first_run.stdout
    assert "left]" in first_run.stdout
    assert_ends_with_table(first_run.stdout)
    assert (fresh / "results/lab/dvc.lock").read_bytes() == (fresh / "dvc.lock").read_bytes()
    assert "working on base" in text(fresh / ".store/logs/base.log")


def assert_ends_with_table(output: str) -> None:
    assert "random    1.5" in output
    assert "table: results/lab/main/table.md" in output
    assert "next:  make ui" in output


def test_nothing_to_run(fresh: Path, first_run: object) -> None:
    trace(fresh)
    start = time.monotonic()
    ended = repro(fresh)
    assert time.monotonic() - start < 10
    assert ended.returncode == 0
    assert "nothing to run: all 5 stages are up to date" in ended.stdout
    assert_ends_with_table(ended.stdout)
    assert ran(fresh) == []


def test_a_change_reruns_what_it_touches(repo: Path) -> None:
    (repo / "only_x").write_text("x\n")  # as it was
    assert repro(repo).returncode == 0
    assert ran(repo) == ["train_y", "report"]
    # A change that ends at the first stage, because its output stays the same.
    (repo / "source").write_text("1 and more\n")
    ended = repro(repo)
    assert ran(repo) == ["prepare"]
    assert "report still up to date" in ended.stdout


def test_failure_names_the_line_the_log_and_the_command(repo: Path) -> None:
    (repo / "fail_train_x").touch()
    (repo / "slow_train_y").write_text("1")
    ended = repro(repo)
    assert ended.returncode == 1
    assert "error: stage train@x failed:" in ended.stderr
    assert "error: source: row 3: blank instruction; fix it\\x1b]0;pwned\\x07\n" in ended.stderr
    assert "\x1b" not in ended.stdout + ended.stderr
    assert "its log: .store/logs/train@x.log" in ended.stderr
    assert "stopped: python -m pipeline.make.repro --jobs 2 --target report\n" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert sorted(ran(repo)) == ["train_x", "train_y"]
    # What ran beside it is kept: only the failed stage and what waits for it are left.
    (repo / "fail_train_x").unlink()
    assert repro(repo).returncode == 0
    assert ran(repo) == ["train_x", "report"]


def test_waits_for_another_dvc(repo: Path) -> None:
    """Another `dvc repro` is at work on a stage that is wanted: it is not done twice."""
    (repo / "slow_train_x").write_text("4")
    other = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro", "-s", "train@x"], cwd=repo, stdout=subprocess.DEVNULL
    )
    wait_for(lambda: (repo / "trace").exists())
    ended = repro(repo)
    assert other.wait(timeout=60) == 0
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert sorted(ran(repo)) == ["report", "train_x", "train_y"]


def test_lock_held_by_another_program_is_waited_for(repo: Path) -> None:
    """`dvc repro` gives up on the repository's lock after three seconds; the runner tries again."""
    (repo / "slow_train_x").write_text("1")
    runner = subprocess.Popen(command(), cwd=repo, stdout=subprocess.PIPE, text=True)
    wait_for(lambda: (repo / "trace").exists())  # a command runs, and DVC's lock is free
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(repo / ".dvc/tmp/lock")], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline()
    output, _ = runner.communicate(timeout=90)
    holder.communicate(timeout=30)
    assert runner.returncode == 0, output
    assert "random    1.5" in output


def test_a_second_make_repro_waits_and_has_its_own_logs(repo: Path) -> None:
    (repo / "slow_train_x").write_text("3")
    (repo / "fail_train_x").touch()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    first = subprocess.Popen(command(), cwd=repo, **pipes)
    wait_for(lambda: (repo / "trace").exists())
    second = subprocess.Popen(command(), cwd=repo, **pipes)
    assert second.stdout is not None
    line = second.stdout.readline()
    assert f"/.store/run: waiting for process {first.pid}, at work since " in line
    assert first.poll() is None
    _, errors = first.communicate(timeout=90)
    assert "blank instruction" in errors
    (repo / "fail_train_x").unlink()
    (repo / "slow_train_x").unlink()
    output, _ = second.communicate(timeout=90)
    assert second.returncode == 0, output
    assert sorted(ran(repo)) == ["report", "train_x", "train_x", "train_y"]
    logs = repo / ".store/logs"
    assert "blank instruction" in text(logs / "train@x.log.1")
    assert "blank instruction" not in text(logs / "train@x.log")


def test_ctrl_c_ends_the_stages_too(repo: Path) -> None:
    for name in "xy":
        (repo / f"slow_train_{name}").write_text("60.25")
    runner = subprocess.Popen(
        command(), cwd=repo, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: "train_y begin" in text(repo / "trace") and "train_x" in text(repo / "trace"))
    os.kill(runner.pid, signal.SIGINT)
    _, errors = runner.communicate(timeout=30)
    assert runner.returncode == 1
    assert "to go on: python -m pipeline.make.repro --jobs 2 --target report" in errors
    assert "Traceback" not in errors
    assert workers(repo) == []


def test_a_killed_runner_takes_the_stages_along(repo: Path) -> None:
    for name in "xy":
        (repo / f"slow_train_{name}").write_text("60.25")
    runner = subprocess.Popen(
        command(), cwd=repo, stdout=subprocess.DEVNULL, start_new_session=True
    )
    wait_for(lambda: "train_y begin" in text(repo / "trace") and "train_x" in text(repo / "trace"))
    os.killpg(runner.pid, signal.SIGKILL)
    runner.wait()
    wait_for(lambda: not workers(repo), 30)
    for name in "xy":
        (repo / f"slow_train_{name}").unlink()
    trace(repo)
    assert repro(repo).returncode == 0
    assert sorted(ran(repo)) == ["report", "train_x", "train_y"]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda repo: (repo / "dvc.yaml").write_text("stages: {a: {cmd: x}}\n"), "report"),
        (lambda repo: (repo / "dvc.yaml").write_text("stages: [\n"), "dvc.yaml"),
        (lambda repo: (repo / "dvc.yaml").unlink(), "dvc.yaml"),
    ],
)
def test_a_broken_pipeline_is_one_line(repo: Path, broken, message: str) -> None:  # noqa: ANN001
    broken(repo)
    ended = repro(repo)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ")
    assert message in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_priorities_are_asked_for_only_when_a_slot_is_free(tmp_path: Path) -> None:
    """With 300 cells, asking at every poll took half a second of each."""
    asked: list[str] = []

    def priority(stage: str) -> float:
        asked.append(stage)
        return {"a": 1.0, "b": 3.0, "c": 2.0}[stage]

    screen = MagicMock()
    runner = Runner(
        command=lambda stage: ["sleep", "0.3"],
        changed=lambda stage: stage != "a",
        screen=screen,
        logs=tmp_path,
        jobs=1,
        priority=priority,
    )
    needs = {"a": set(), "b": set(), "c": set(), "of_a": {"a"}}
    assert runner.run(Graph(list(needs), needs, {"a", "b", "c"})) == ["b", "c"]
    assert len(asked) == 3 + 2 + 1
    assert [call.args[0] for call in screen.started.call_args_list] == ["b", "c", "a"]
    screen.skipped.assert_called_once_with("of_a")
