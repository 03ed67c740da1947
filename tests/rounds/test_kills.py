"""An iterative selection killed at random moments: each resume ends with the same bytes."""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.common.files import folder_hash, read_json
from tests.helpers.small_repo import ROUNDS, edit_params, environment, repro, run

NAME = "kmq_iterative_rm"


def command(name: str = NAME) -> tuple[str, ...]:
    """What runs a selection."""
    return (sys.executable, "-m", "pipeline.select_rounds", name)


@pytest.fixture(scope="module")
def repo(small_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which all is made that the selection reads."""
    folder = shutil.copytree(small_runs / "selected", tmp_path_factory.mktemp("rounds") / "repo")
    edit_params(folder, **ROUNDS)
    repro(folder, "prepare", "reward_model", "score", "choose_k", "cost_tokens")
    return folder


@pytest.fixture(scope="module")
def undisturbed(repo: Path) -> tuple[dict[str, Any], float]:
    """What a run that nothing disturbs leaves, and its seconds."""
    forget(repo)
    begun = time.monotonic()
    run(repo, *command())
    return left(repo), time.monotonic() - begun


def forget(repo: Path) -> None:
    """As if the selection had never run."""
    for folder in ("data/subsets", "data/selections", ".store/scratch/rounds"):
        shutil.rmtree(repo / folder, ignore_errors=True)


def left(repo: Path, name: str = NAME) -> dict[str, Any]:
    """What a selection leaves, timings apart."""
    results: dict[str, Any] = {"subsets": folder_hash(repo / "data/subsets" / name)}
    folder = repo / "data/selections" / name
    results["selection"] = (folder / "costs.json").read_bytes()
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            results[f"{path.parent.name}/{path.name}"] = path.read_bytes()
        elif path.name == "rounds.json":
            results[path.parent.name] = path.read_bytes()
    each = 3 if name == NAME else 1  # of two seeds: rounds; clusters and instances, if any
    assert len(results) == 2 + 2 * each
    return results


def killed_at(repo: Path, seconds: float, name: str = NAME) -> bool:
    """Run the selection and SIGKILL it so much later; whether it was still running."""
    process = subprocess.Popen(
        command(name),
        cwd=repo,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def kill_and_resume(
    repo: Path, undisturbed: tuple[dict[str, Any], float], times: int, name: str = NAME
) -> None:
    expected, seconds = undisturbed
    moments = np.random.default_rng(20).uniform(0.1, 0.95, times) * seconds
    hit = 0
    for moment in moments:
        forget(repo)
        hit += killed_at(repo, float(moment), name)
        run(repo, *command(name))
        assert left(repo, name) == expected, f"killed after {moment:.1f} of {seconds:.1f} s"
    assert hit >= times - 1, "it ended before it could be killed"


def test_two_random_kills(repo: Path, undisturbed: tuple[dict[str, Any], float]) -> None:
    kill_and_resume(repo, undisturbed, 2)


@pytest.mark.slow
def test_ten_random_kills(repo: Path, undisturbed: tuple[dict[str, Any], float]) -> None:
    kill_and_resume(repo, undisturbed, 10)


@pytest.mark.slow
def test_random_kills_of_diverse_evol(repo: Path) -> None:
    forget(repo)
    begun = time.monotonic()
    run(repo, *command("diverse_evol"))
    undisturbed = left(repo, "diverse_evol"), time.monotonic() - begun
    kill_and_resume(repo, undisturbed, 3, "diverse_evol")


@pytest.mark.slow
def test_random_kills_of_phases_in_processes_of_their_own(
    repo: Path, undisturbed: tuple[dict[str, Any], float]
) -> None:
    """How phases are run changes no byte, killed or not."""
    edit_params(repo, rounds={"executor": "subprocess"})
    try:
        forget(repo)
        begun = time.monotonic()
        run(repo, *command())
        seconds = time.monotonic() - begun
        assert left(repo) == undisturbed[0]
        kill_and_resume(repo, (undisturbed[0], seconds), 2)
    finally:
        edit_params(repo, rounds={"executor": "inprocess"})


def test_what_is_finished_is_not_done_again(
    repo: Path, undisturbed: tuple[dict[str, Any], float]
) -> None:
    forget(repo)
    process = subprocess.Popen(
        command(), cwd=repo, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    scored = ".store/scratch/rounds/*/1_score_*/files.json"
    while not (actual := list(repo.glob(scored))):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    phases = actual[0].parent.parent.glob("1_*/cost.json")
    took = sum(read_json(path)["seconds"] for path in phases)
    run(repo, *command())
    assert left(repo) == undisturbed[0]
    # To the microsecond what the killed process took: another run would differ.
    message = read_json(repo / f"timings/data/selections/{NAME}/s0_1/seed_0/rounds.json")
    assert message[0]["cost"]["seconds"] == pytest.approx(took, abs=1e-9)
    # What led to a result goes once it is there.
    results = list(repo.glob(".store/scratch/rounds/*/result"))
    assert len(results) == 2
    assert not [path for result in results for path in result.parent.glob("[0-9]*")]


def test_the_stage_and_its_first_rounds_run_by_dvc(
    repo: Path, undisturbed: tuple[dict[str, Any], float]
) -> None:
    forget(repo)
    wanted = [f"select_rounds@{NAME}", f"describe_further@curves_{NAME}_2"]
    # DVC is free to put stages that neither waits for anywhere.
    assert [stage for stage in repro(repo, *wanted) if stage in wanted] == wanted
    assert left(repo) == undisturbed[0]
    import pandas as pd

    whole = pd.read_parquet(repo / f"data/subsets/{NAME}/s0_1/seed_0.parquet")
    picks = np.load(repo / f"data/described/curves/curves_{NAME}_2/seed_0.npy")
    begun = pd.read_parquet(repo / "data/pool.parquet")["id"].to_numpy()[picks].tolist()
    assert whole["round"].tolist() == sorted(whole["round"])
    assert set(whole["round"]) == {1, 2, 3}
    assert begun == whole.loc[whole["round"] <= 2, "id"].tolist()
    info = read_json(repo / f"data/selections/{NAME}/costs.json")["seeds"]["0"]
    assert info["size"] == len(whole)
    assert info["feedback"]["generated"] == len(begun) + (whole["round"] == 1).sum()
    assert repro(repo, f"select_rounds@{NAME}") == []
