"""Executors of phases: the same end in every process, and none that outlives its stage."""

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
from harness.feedback.uncertainty import CRITERIA
from harness.launching.launch import Launch, followed, launched
from harness.params.training import TrainParams
from harness.rounds.executors import EXECUTORS
from harness.rounds.phases import ROWS, TASK
from tests.helpers.classifiers import save_classifier
from tests.helpers.round_journal import READ, journal
from tests.helpers.scored_rows import POOL
from tests.helpers.shared_reading import read_all
from tests.helpers.small_repo import environment, wait_for

STAGE = """
import sys
from pathlib import Path
from harness.rounds.executors import subprocess_
subprocess_("train", Path(sys.argv[1]))
"""


def train_task(model: Path, folder: Path, epochs: int, launcher: str | None) -> Path:
    """A folder in which the phase ``train`` can run."""
    folder.mkdir(parents=True)
    params = TrainParams(epochs=epochs, max_length=128, launcher=launcher).model_dump()
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


def test_phases_that_two_processes_share_end_with_the_same_arrays(
    base: Path, tmp_path: Path
) -> None:
    results = []
    for processes in (1, 2):
        kept = journal(tmp_path / str(processes), processes=processes)
        asked = kept.ask(1)
        asked.train(np.array([0, 1, 3]), 1, False)  # by one process: train.launcher is null
        answer = {"max_new_tokens": 6, "temperature": 0.7, "scorer": "perplexity"}
        scores = asked.observe("answer", np.arange(len(POOL)), **answer)
        answers = kept.answers(1)
        assert answers is not None
        message = answers[["id", "answer", "tokens"]].to_numpy().tolist()
        results.append([scores["gold"].tobytes(), scores["generated"].tobytes(), message])
        results[-1].append(sorted(path.name for path in kept.folder.iterdir()))
    assert results[0] == results[1]


def test_every_reading_is_shared_and_the_same(tiny_model: Path, tmp_path: Path) -> None:
    reward = save_classifier(tiny_model, tmp_path / "reward")
    arguments = {"model": str(tiny_model), "reward": str(reward)}
    alone = read_all(**arguments)
    shared = launched(read_all, arguments, Launch("rounds", "ddp", 2, "cpu"))
    assert set(alone.values) == {"states", "reward", *CRITERIA}
    for name, values in alone.values.items():
        np.testing.assert_array_equal(shared.values[name], values)
    # Five rows, a batch each: the first of two processes read three, and counts for both.
    assert set(alone.steps.values()) == {5}
    assert set(shared.steps.values()) == {6}


@pytest.mark.parametrize(
    ("launcher", "number"), [(None, signal.SIGKILL), ("ddp", signal.SIGKILL), (None, signal.SIGINT)]
)
def test_a_phase_ends_with_its_stage(
    tiny_model: Path, tmp_path: Path, launcher: str | None, number: signal.Signals
) -> None:
    folder = train_task(tiny_model, tmp_path / "long", 10_000, launcher)
    said = tmp_path / "said.txt"
    with said.open("w") as stream:
        stage = subprocess.Popen(
            [sys.executable, "-c", STAGE, str(folder)],
            env={**environment(), "PYTHONPATH": str(Path(__file__).parents[2])},
            stderr=stream,
        )
    try:
        # What the phase says arrives while it is at work.
        wait_for(lambda: "train seed 3" in said.read_text(), 60)
        children = psutil.Process(stage.pid).children(recursive=True)
        names = {"harness.rounds.phases", "harness.launching.worker"}
        at_work = [child for child in children if names & {*child.cmdline()}]
        assert len(at_work) == (3 if launcher else 1)  # the launcher itself, and its child
        stage.send_signal(number)
        stage.wait(30)
        _, left = psutil.wait_procs(at_work, timeout=15)
        assert not left
    finally:
        for process in psutil.process_iter(["cmdline"]):
            if str(folder) in (process.info["cmdline"] or []):
                process.kill()


def test_what_a_process_says_is_passed_on_and_its_last_line_is_why(
    capfd: pytest.CaptureFixture[str],
) -> None:
    command = ["/bin/sh", "-c", "echo so far >&2; echo the last of it >&2; exit 3"]
    with pytest.raises(InputError, match="phase train ended with status 3: the last of it"):
        followed(command, "phase train")
    assert capfd.readouterr().err == "so far\nthe last of it\n"


def test_what_a_launcher_adds_to_our_error_is_not_passed_on(
    capfd: pytest.CaptureFixture[str],
) -> None:
    command = ["/bin/sh", "-c", "echo so far >&2; echo error: bad >&2; echo Traceback >&2; exit 1"]
    with pytest.raises(InputError, match="train ended with status 1: bad"):
        followed(command, "train")
    assert capfd.readouterr().err == "so far\n"
