"""A copy of the repository with a grid small enough to run whole in a test."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from harness.common.stores import locked
from tests.helpers.presets import preset_file

ROOT = Path(__file__).resolve().parents[2]
CODE = ("harness", "pipeline", "conf", "dvc.yaml", ".dvc/config", ".dvcignore", ".gitignore")


def selection(sampler: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """An entry of a table of selections, with the defaults of the lab."""
    return {"embedding": "minilm", "k": 1, "budget": 0.1, "sampler": sampler, **more}


def further(study: str, of: str, group: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """An entry of `further`."""
    return {"study": study, "of": of, "group": group, "base": "main", **more}


SMALL: dict[str, Any] = {
    "lab": {
        "instances": 240,
        "skills": 18,
        "items_per_skill": 2,
        "documents": 300,
        "preferences": 40,
    },
    "base_model": {
        "vocab_size": 400,
        "layers": 1,
        "hidden": 32,
        "heads": 2,
        "tokens": 20_000,
        "threads": 1,
    },
    "base_models": {},
    "reward_model": {"epochs": 1},
    "reward_models": {},
    "embeddings": {"minilm": {"model": "minilm", "text": "prompt_completion"}},
    "embeddings_states": {},
    "cluster": {"k": [1, 4, 6]},
    "train": {"epochs": 12},
    "evaluate": {"limit": 6},
    "selections": {
        "random": selection("random"),
        "k_center": selection("k_center", start="mean"),
    },
    "selections_scored": {
        "kmq": selection("kmq", k="auto", quality="ifd * sigmoid(reward)"),
    },
    "selections_rounds": {},
    "references": {"none": {"rows": "none", "seeds": [0]}},
    "seed_groups": ["s0_1"],
    "table": ["none", "random", "k_center", "kmq"],
    "further": {},
    "studies": {},
    "report": {"baselines": ["random"], "metrics": None},
    "worlds": {},
    "world_rows": [],
    "world_reports": {},
}
ROUNDS: dict[str, Any] = {  # for the tests that select in rounds
    "selections_rounds": {
        "kmq_iterative_rm": selection(
            "kmq_iterative",
            k=4,
            quality="sigmoid(reward)",
            scorer="reward_model",
            max_new_tokens=12,
        ),
        "diverse_evol": selection("diverse_evol", rounds=2, feedback_epochs=1),
    },
    "further": {
        "curves_kmq_iterative_rm_2": further("curves", "kmq_iterative_rm", "s0_1", rounds=2)
    },
    "studies": {"curves": {"report": "curves"}},
}
WHOLE = ("selections", "selections_scored", "selections_rounds", "references", "further", "studies")
WHOLE += ("base_models", "reward_models", "embeddings", "embeddings_states")
WHOLE += ("worlds", "world_reports")


DVC = (sys.executable, "-m", "dvc")


def yaml() -> YAML:
    """YAML that keeps comments and order."""
    made = YAML()
    made.preserve_quotes = True
    return made


def edit_params(folder: Path, **changes: Any) -> None:  # noqa: ANN401
    """Replace values in a repository's params.yaml: ``edit_params(repo, train={"epochs": 2})``."""
    path = folder / "params.yaml"
    params = yaml().load(path)
    for section, values in changes.items():
        if isinstance(values, dict) and section not in WHOLE:
            params.setdefault(section, {}).update(values)
        else:
            params[section] = values
    yaml().dump(params, path)


def environment() -> dict[str, str]:
    """This process's, with this interpreter first on the path, as `python` in dvc.yaml."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    threads = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    return {**os.environ, "PATH": path, "PYTHONPATH": "", **threads}


def run(folder: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command in a repository; its output is kept, and shown where it fails."""
    command = (*DVC, *command[1:]) if command[0] == "dvc" else command
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=600
    )
    if check and done.returncode:
        raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def repro(folder: Path, *arguments: str) -> list[str]:
    """Run `dvc repro`; return the stages that really ran, in order."""
    done = run(folder, "dvc", "repro", *arguments)
    starts = [line for line in done.stdout.splitlines() if line.startswith("Running stage ")]
    return [line.split("'")[1] for line in starts]


def small_repo(folder: Path) -> Path:
    """Make the copy in ``folder``: code, small params, git and DVC set up, all committed."""
    for name in CODE:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    shutil.copy(preset_file("lab"), folder / "params.yaml")
    edit_params(folder, **SMALL)
    run(folder, "git", "init", "-q")
    commit(folder, "small")
    return folder


def make_small_runs(folder: Path) -> Path:
    """A folder with ``selected`` and ``whole``: small repositories to copy, never to change.

    In the first everything has run up to the subsets, in the second everything, tagged `first`.
    Whoever asks first makes them; another process that asks waits.
    """
    whole, selected = folder / "whole", folder / "selected"
    with locked(folder):
        if not (folder / "made").exists():
            small_repo(whole)
            repro(whole, "select", "select_scored")
            shutil.copytree(whole, selected)
            repro(whole)
            commit(whole, "results")
            run(whole, "git", "tag", "first")
            (folder / "made").touch()
    return folder


def commit(folder: Path, message: str) -> None:
    """Commit everything, as somebody."""
    run(folder, "git", "add", "-A")
    someone = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    run(folder, "git", *someone, "commit", "-q", "--allow-empty", "-m", message)


def wait_for(met: Callable[[], bool], seconds: float = 180) -> None:
    """Poll until the condition is met; fails after ``seconds``."""
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, "the condition was never met"
        time.sleep(0.01)
