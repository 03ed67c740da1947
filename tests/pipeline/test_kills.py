"""A stage or `dvc` killed in the middle: what was finished stays, and the end is the same."""

import shutil
import subprocess
from pathlib import Path

import psutil
import pytest

from harness.common.files import folder_hash, read_json
from tests.helpers.small_repo import DVC, environment, repro, wait_for


def start(repo: Path, stage: str) -> subprocess.Popen[bytes]:
    """Start `dvc repro` of one stage in the background."""
    command = [*DVC, "repro", stage]
    return subprocess.Popen(
        command,
        cwd=repo,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def finished(repo: Path) -> set[Path]:
    """The manifests of the finished models."""
    return set(repo.glob(".store/models/[!.]*/manifest.json"))


def stage_processes(repo: Path) -> list[psutil.Process]:
    """The live Python processes that run a training stage of this repository."""
    processes = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            if "pipeline.train" in words and process.cwd() == str(repo) and "python" in words[0]:
                processes.append(process)
        except psutil.Error:
            continue
    return processes


def results(repo: Path) -> dict[str, object]:
    """What two runs of the same params must share: the subsets' bytes and the scores."""
    shared: dict[str, object] = {"subsets": folder_hash(repo / "data/subsets")}
    for path in sorted(repo.glob("runs/main/*/*/metrics.json")):
        seeds = read_json(path)["seeds"]
        shared[path.parent.parent.name] = {seed: value["scores"] for seed, value in seeds.items()}
    for path in sorted(repo.glob("runs/main/*/*/train/seed_*.json")):
        shared[f"{path.parent.parent.parent.name}/{path.name}"] = read_json(path).get("model_hash")
    return shared


@pytest.mark.parametrize("who", ["stage", "dvc"])
def test_kill_and_go_on(who: str, killed: Path) -> None:
    stage = {"stage": "train@random-s0_1", "dvc": "train@k_center-s0_1"}[who]
    before = finished(killed)
    process = start(killed, stage)
    wait_for(lambda: len(finished(killed) - before) == 1)
    first = (finished(killed) - before).pop()
    stamp = first.stat().st_mtime_ns
    if who == "dvc":
        process.kill()
    else:
        for stage_process in stage_processes(killed):
            stage_process.kill()
    process.wait()
    assert len(finished(killed) - before) == 1, "the second seed ended before it could be killed"
    if who == "dvc":
        # The stage does not outlive its dvc: it would train beside the next one.
        wait_for(lambda: not stage_processes(killed), 10)
    repro(killed, stage)
    assert len(finished(killed) - before) == 2
    assert first.stat().st_mtime_ns == stamp, "a finished seed was trained again"
    logs = {p.parent.name: p.read_text().splitlines() for p in attempts(killed)}
    assert len(logs[first.parent.name[:24]]) == 1


def attempts(repo: Path) -> list[Path]:
    """One file a model, one line an attempt to train it."""
    return sorted(repo.glob(".store/scratch/train/*/attempts.log"))


@pytest.fixture(scope="module")
def killed(small_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose training stages the tests kill."""
    return shutil.copytree(small_runs / "selected", tmp_path_factory.mktemp("killed") / "repo")


def test_the_end_equals_an_undisturbed_run(killed: Path, small_runs: Path) -> None:
    repro(killed)
    assert results(small_runs / "whole") == results(killed)
    assert len(results(killed)) == 1 + 4 + 7  # subsets; four rows' scores; seven manifests
