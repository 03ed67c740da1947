"""Executors of phases: the same end in every process, and none that outlives its stage."""

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from harness.common.errors import InputError
from harness.common.files import write_json
from harness.common.stores import kept
from harness.params.training import TrainParams
from harness.rounds.executors import EXECUTORS, subprocess_
from harness.rounds.phases import ROWS, TASK, run_phase
from tests.helpers.round_journal import READ, journal
from tests.helpers.scored_rows import POOL
from tests.helpers.small_repo import environment, wait_for

ONE = ["accelerate", "launch", "--cpu", "--num_processes", "1"]
STAGE = """
import sys
from pathlib import Path
from harness.rounds.executors import subprocess_
subprocess_("train", Path(sys.argv[1]), sys.argv[2:])
"""


def train_task(model: Path, folder: Path, epochs: int) -> Path:
    """A folder in which the phase ``train`` can run."""
    folder.mkdir(parents=True)
    params = TrainParams(epochs=epochs, max_length=128, device="cpu").model_dump()
    write_json(folder / TASK, {"base": str(model), "params": params, "seed": 3})
    POOL.frame.to_parquet(folder / ROWS)
    return folder


def test_executors_end_with_the_same_bytes(base: Path, tmp_path: Path) -> None:
    results: dict[str, list[Any]] = {}
    for name in EXECUTORS:
        kept = journal(tmp_path / name, executor=name)
        asked = kept.ask(1)
        asked.train(np.array([0, 1, 3]), 1, False)
        seen = asked.observe("embed", np.arange(len(POOL)))
        answer = {"max_new_tokens": 6, "temperature": 0.7, "scorer": "perplexity"}
        scores = asked.observe("answer", np.array([2, 0]), **answer)
        answers = kept.answers(1)
        assert answers is not None
        arrays = [seen["embeddings"], scores["gold"], scores["generated"]]
        weights = (kept.model / "model.safetensors").read_bytes()
        message = answers[["id", "answer", "tokens"]].to_numpy().tolist()
        results[name] = [weights, *[array.tobytes() for array in arrays], message]
    assert results["inprocess"] == results["subprocess"]


def test_a_phase_that_fails_in_its_own_process_says_why(base: Path, tmp_path: Path) -> None:
    kept = journal(tmp_path, executor="subprocess")
    with pytest.raises(
        InputError, match=r"phase embed ended with status 1: .*no such model folder"
    ):
        kept.phase(1, "embed", np.array([0]), {**READ, "model": str(tmp_path / "gone")})
    assert not list(tmp_path.glob("1_embed_*"))
    lost = journal(tmp_path, executor="subprocess", launcher=["no-such-launcher"])
    with pytest.raises(InputError, match="launcher: no-such-launcher cannot be run"):
        lost.ask(1).train(np.array([0]), 1, False)


def test_a_launcher_of_one_process_ends_with_the_same_bytes(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", environment()["PATH"])
    plain = train_task(tiny_model, tmp_path / "plain", 1)
    run_phase("train", plain)
    launched = train_task(tiny_model, tmp_path / "launched", 1)
    subprocess_("train", launched, ONE)
    assert kept(launched) is not None
    weights = [folder / "model" / "model.safetensors" for folder in (plain, launched)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.parametrize(
    "launcher",
    [
        ["accelerate", "launch", "--multi_gpu", "--num_processes", "2"],
        ["torchrun", "--nproc-per-node", "2"],
    ],
)
def test_a_launcher_of_two_processes_is_refused(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, launcher: list[str]
) -> None:
    monkeypatch.setenv("PATH", environment()["PATH"])
    folder = train_task(tiny_model, tmp_path / "two", 1)
    message = (
        "phase train ended with status 1: rounds.launcher: WORLD_SIZE is 2, but a phase is run"
    )
    with pytest.raises(InputError, match=re.escape(message)) as error:
        subprocess_("train", folder, launcher)
    assert "num_processes 1" in str(error.value)
    assert "\n" not in str(error.value)
    assert sorted(path.name for path in folder.iterdir()) == [ROWS, TASK]


@pytest.mark.parametrize(
    ("launcher", "number"), [([], signal.SIGKILL), (ONE, signal.SIGKILL), ([], signal.SIGINT)]
)
def test_a_phase_ends_with_its_stage(
    tiny_model: Path, tmp_path: Path, launcher: list[str], number: signal.Signals
) -> None:
    folder = train_task(tiny_model, tmp_path / "long", 10_000)
    said = tmp_path / "said.txt"
    with said.open("w") as stream:
        stage = subprocess.Popen(
            [sys.executable, "-c", STAGE, str(folder), *launcher],
            env={**environment(), "PYTHONPATH": str(Path(__file__).parents[2])},
            stderr=stream,
        )
    try:
        # What the phase says arrives while it is at work.
        wait_for(lambda: "train seed 3" in said.read_text(), 60)
        children = psutil.Process(stage.pid).children(recursive=True)
        at_work = [child for child in children if "harness.rounds.phases" in child.cmdline()]
        assert len(at_work) == (2 if launcher else 1)  # the launcher itself, and its child
        stage.send_signal(number)
        stage.wait(30)
        _, left = psutil.wait_procs(at_work, timeout=15)
        assert not left
    finally:
        for process in psutil.process_iter(["cmdline"]):
            if str(folder) in (process.info["cmdline"] or []):
                process.kill()


def test_what_a_phase_says_is_passed_on_and_its_last_line_is_why(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    launcher = ["/bin/sh", "-c", "echo so far >&2; echo the last of it >&2; exit 3"]
    with pytest.raises(InputError, match="phase train ended with status 3: the last of it"):
        subprocess_("train", tmp_path, launcher)
    assert capfd.readouterr().err == "so far\nthe last of it\n"
