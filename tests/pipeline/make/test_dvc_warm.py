"""Stages forked from a process that has imported the libraries: as if each were started anew."""

import os
import shutil
import signal
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest

from pipeline.make.dvc_warm import FEWEST, warm_stages
from tests.helpers.shell_repo import ROOT, command, make_repo, repro, text, wait_for, workers

# A stage that trains, and writes its weights and what it was given.
STAGE = """
import logging, os, sys, time
from pathlib import Path
from pipeline.stage import main

PARAMS = {"epochs": 2, "learning_rate": 1e-2, "max_length": 96}
GIVEN = ("DVC_STAGE", "DVC_ROOT", "OMP_NUM_THREADS", "PATH", "PYTHONUNBUFFERED")

def run(name):
    "Train."
    Path(f"begun_{name}").write_text(str(os.getpid()))
    if Path(f"slow_train_{name}").exists():
        time.sleep(float(Path(f"slow_train_{name}").read_text()))
    if Path(f"fail_train_{name}").exists():
        sys.exit("error: source: row 3: blank")
    from harness.params.training import TrainParams
    from harness.training.sft import train
    talk = [[{"role": "user", "content": q}, {"role": "assistant", "content": name}] for q in "ab"]
    out = Path(f".store/trained_{name}")
    train(Path("model"), talk, out, TrainParams(**PARAMS), 3)
    given = [sys.argv, sys.path[0], os.getcwd(), sys.stdin.read(), __name__]
    given += [os.environ[key] for key in GIVEN]
    given += [getattr(sys.modules.get(key), "__file__", "") for key in ("pipeline", "harness")]
    weights = (out / "model.safetensors").read_bytes()
    Path(f"t_{name}").write_bytes(weights + repr(given).encode())
    print("said")
    logging.getLogger("transformers").warning("warning: \\x1b[31m")

main(run, ("name", "one of x and y"))
"""


@pytest.fixture
def repo(tmp_path: Path, tiny_model: Path) -> Path:
    """A repository of shell stages, but for both trainings."""
    folder = make_repo(tmp_path / "repo")
    shutil.copytree(tiny_model, folder / "model")
    shutil.copytree(ROOT / "pipeline", folder / "pipeline")
    (folder / "pipeline" / "train.py").write_text(STAGE)
    pipeline = folder / "dvc.yaml"
    shell = "sh step.sh train_${item} t_${item} only_${item}"
    assert shell in text(pipeline)
    pipeline.write_text(text(pipeline).replace(shell, "python -m pipeline.train"))
    return folder


def forked(repo: Path, stage: str) -> psutil.Process:
    """The process of `stage` that DVC runs in, found by that of its command."""
    wait_for(lambda: text(repo / f"begun_{stage}") != "")
    command = psutil.Process(int(text(repo / f"begun_{stage}")))
    leader = command.parent()
    assert leader is not None
    assert [Path(word).name for word in leader.cmdline()[2:]] == ["dvc_warm.py"]
    return leader


def test_a_forked_stage_is_as_one_started_anew(repo: Path) -> None:
    """Its weights, arguments and environment, DVC's lock, and its log are the same to the byte."""
    pristine, cold = repo.with_name("pristine"), repo.with_name("cold")
    shutil.copytree(repo, pristine)
    ended = repro(repo, jobs=1)  # side by side, their order in dvc.lock is chance
    assert ended.returncode == 0, ended.stdout + ended.stderr
    repo.rename(cold)
    pristine.rename(repo)
    ended = repro(repo, jobs=1, warm=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    logs = [f".store/logs/{stage}.log" for stage in ("prepare", "base", "train@x", "train@y")]
    for name in ("t_x", "t_y", "dvc.lock"):
        assert (repo / name).read_bytes() == (cold / name).read_bytes(), name
    for name in logs:  # but for DVC's advice, which lists files as they come out of a set
        of_both = [text(folder / name).partition("To track")[0] for folder in (repo, cold)]
        assert of_both[0] == of_both[1]
    assert b"'__main__', 'train@x'" in (repo / "t_x").read_bytes()
    assert "said\n[transformers] warning: \\x1b[31m\n" in text(repo / logs[-1])
    assert workers(repo) == []


def test_a_forked_stage_that_fails_says_why(repo: Path) -> None:
    (repo / "fail_train_x").touch()
    ended = repro(repo, warm=True)
    assert ended.returncode == 1
    assert "error: stage train@x failed:\n  error: source: row 3: blank\n" in ended.stderr
    log = text(repo / ".store/logs/train@x.log")
    assert "failed to run: python -m pipeline.train, exited with 1\n" in log
    assert "Traceback" not in log
    assert not (repo / "t_x").exists()
    assert workers(repo) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_the_runner(repo: Path, number: signal.Signals) -> None:
    for name in "xy":
        (repo / f"slow_train_{name}").write_text("60.25")
    runner = subprocess.Popen(command(warm=True), cwd=repo, start_new_session=True)
    for name in "xy":
        forked(repo, name)
    os.kill(runner.pid, number)
    runner.wait(timeout=30)
    wait_for(lambda: not workers(repo), 30)
    assert not (repo / "t_x").exists()


def test_a_killed_stage_fails_alone(repo: Path) -> None:
    """Its command ends with the process of DVC, as `end_with_dvc` says."""
    (repo / "slow_train_x").write_text("60.25")
    runner = subprocess.Popen(
        command(warm=True), cwd=repo, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    leader = forked(repo, "x")
    (work,) = leader.children()
    leader.kill()
    wait_for(lambda: not work.is_running(), 10)
    _, errors = runner.communicate(timeout=90)
    assert runner.returncode == 1
    assert "error: stage train@x failed:" in errors
    assert (repo / "t_y").exists()
    assert workers(repo) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_without_the_warm_process_stages_start_anew(repo: Path, number: signal.Signals) -> None:
    """Where it dies or hangs, what it has forked goes on."""
    (repo / "slow_train_x").write_text("2")
    runner = subprocess.Popen(command(1, warm=True), cwd=repo, stdout=subprocess.PIPE, text=True)
    leader = forked(repo, "x")
    warm = leader.parent()
    assert warm is not None
    warm.send_signal(number)
    assert leader.is_running()
    output, _ = runner.communicate(timeout=120)
    assert runner.returncode == 0, output
    assert "stage 5 of 5: report done" in output
    assert (repo / "t_x").exists()
    assert (repo / "t_y").exists()


def test_the_stages_that_are_forked() -> None:
    """Those of cells, unless they are few."""
    cells = {f"{stage}@{i}" for stage in ("describe", "evaluate_further") for i in range(FEWEST)}
    forked = cells if version("torch").endswith("+cpu") else set()
    assert warm_stages([*cells, "prepare", "select@train", "report@evaluate"]) == forked
    assert warm_stages(list(cells)[: FEWEST - 1]) == set()
