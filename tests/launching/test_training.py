"""Two processes train as one does, and what cannot be shared out is refused."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch.utils.data import SequentialSampler

from harness.common.errors import InputError
from harness.evaluation.evaluate import Evaluation, evaluate
from harness.launching.launch import Launch, launched
from harness.params.training import LoraParams, TrainParams
from harness.training.sft import train
from harness.training.sharing import Share, SharedBatches, share_of
from tests.helpers.sft_rows import ROWS
from tests.helpers.small_suite import PARAMS, heldout, write_benchmarks, write_suite

# Rows of many lengths, and 13 of them: the last step of an epoch has a row for one process only.
LONGER = [
    [user, {"role": "assistant", "content": (answer["content"] + " ") * (1 + i % 4)}]
    for i, (user, answer) in enumerate([*ROWS, ROWS[0]])
]
RECIPE = TrainParams(
    epochs=2, learning_rate=1e-3, batch_size=2, gradient_accumulation=2, max_length=128
)
TWO = {"launcher": "ddp", "processes": 2}


def losses(made: dict[str, Any]) -> list[float]:
    return [point["loss"] for point in made["loss_curve"]]


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture
def scored(tmp_path: Path) -> Callable[..., Evaluation]:
    """A model's evaluation on every kind of column."""
    for name in ("suite", "benchmarks"):
        (tmp_path / name).mkdir()
    suite, benchmarks = write_suite(tmp_path / "suite"), write_benchmarks(tmp_path / "benchmarks")

    def score(model: Path, *, programs: bool = False, **how: object) -> Evaluation:
        columns = [column for column in suite.columns if programs or column.name != "code"]
        chosen = suite.model_copy(update={"columns": columns})
        params = PARAMS.model_copy(update=how)
        return evaluate(model, chosen, benchmarks, heldout(), params, 0)

    return score


@pytest.mark.parametrize(
    "how",
    [
        {"group_by_length": True},
        pytest.param(
            {"group_by_length": False, "lora": LoraParams(rank=4)}, marks=pytest.mark.slow
        ),
        pytest.param({"packing": True, "batch_size": 1}, marks=pytest.mark.slow),
    ],
)
def test_two_processes_give_the_curve_and_scores_of_one(
    tiny_model: Path, tmp_path: Path, scored: Callable[..., Evaluation], how: dict[str, Any]
) -> None:
    params = RECIPE.model_copy(update=how)
    one = train(tiny_model, LONGER, tmp_path / "one", params, seed=3)
    shared = params.model_copy(update=TWO)
    two = train(tiny_model, LONGER, tmp_path / "two", shared, seed=3)
    assert len(losses(one)) == one["steps"] >= 4
    assert losses(two) == pytest.approx(losses(one), abs=1e-3)
    assert abs(losses(one)[-1] - losses(one)[0]) > 0.01  # a curve that could differ
    same = ("steps", "whole_steps", "tokens", "flops", "parameters", "trainable_parameters")
    assert {name: two[name] for name in same} == {name: one[name] for name in same}
    assert files(tmp_path / "two") == files(tmp_path / "one")
    scores = [scored(tmp_path / name).scores for name in ("one", "two")]
    assert scores[1] == pytest.approx(scores[0], abs=1e-3)


def test_two_processes_evaluate_as_one_does(
    tiny_model: Path, scored: Callable[..., Evaluation], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit, but for answers that are drawn: each process draws its own."""
    started: list[Launch] = []

    def starting(function: Any, arguments: dict[str, Any], how: Launch) -> Any:  # noqa: ANN401
        started.append(how)
        return launched(function, arguments, how)

    monkeypatch.setattr("harness.evaluation.evaluate.launched", starting)
    one, two = (scored(tiny_model, programs=True, processes=n) for n in (1, 2))
    assert started == [Launch("evaluate", "ddp", 2, "cpu")]
    assert (two.n, two.shots, two.truncated) == (one.n, one.shots, one.truncated)
    assert two.scores == one.scores  # whatever is drawn is no code
    samples = [result.samples.query("task != 'code'") for result in (one, two)]
    assert len(samples[0]) > 20
    assert samples[1].equals(samples[0])


def test_a_step_is_shared_out() -> None:
    def step(batch: int, accumulated: int, processes: int) -> Share:
        params = TrainParams(batch_size=batch, gradient_accumulation=accumulated)
        return share_of(params, processes)

    assert step(8, 8, 1) == (8, 8)
    assert step(8, 8, 8) == (8, 1)
    assert step(8, 1, 4) == (2, 1)
    assert step(6, 2, 4) == (3, 1)
    assert step(4, 3, 2) == (3, 2)  # six rows: not four at once
    with pytest.raises(InputError, match=r"has 8 rows, which 3 processes cannot share evenly"):
        step(8, 1, 3)


@pytest.mark.parametrize("rows", range(1, 14))
def test_shares_are_the_whole(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.training.sharing.world", lambda: 3)
    monkeypatch.setattr("harness.training.sharing.gathered", lambda order: [order] * 3)
    read, counts = [], set()
    for place in range(3):
        monkeypatch.setattr("harness.training.sharing.rank", lambda place=place: place)
        order: Any = SequentialSampler(range(rows))
        batches = SharedBatches(order, Share(2, 1), blank=99)
        own = list(batches)
        assert len(own) == len(batches)
        counts.add(len(own))
        read += [row for batch in own for row in batch if row != 99]
    assert sorted(read) == list(range(rows))
    assert len(counts) == 1  # a process with fewer batches would keep the others waiting


def test_what_cannot_be_launched_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    def run(**update: object) -> None:
        params = RECIPE.model_copy(update={**TWO, **update})
        train(tiny_model, ROWS, tmp_path / "out", params, seed=0)

    cores = os.cpu_count()
    many = f"train.processes: 1000 processes, but this machine has {cores} CPU cores"
    with pytest.raises(InputError, match=many):
        run(processes=1000)
    with pytest.raises(InputError, match=r"train.launcher: dpd is neither a file .* mean 'ddp'"):
        run(launcher="dpd")
    own = tmp_path / "own.yaml"
    own.write_text("- distributed_type: MULTI_CPU\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"own\.yaml: not an accelerate configuration: it has"):
        run(launcher=str(own))
    with pytest.raises(ValueError, match="say launcher: ddp, or leave processes out"):
        TrainParams(processes=2)
    assert not (tmp_path / "out").exists()


def test_shards_need_cards(tiny_model: Path, tmp_path: Path) -> None:
    params = RECIPE.model_copy(update={**TWO, "launcher": "fsdp", "device": "cpu"})
    with pytest.raises(InputError, match=r"train.launcher: fsdp \(FSDP\) needs CUDA"):
        train(tiny_model, ROWS, tmp_path / "out", params, seed=0)


def test_a_failure_says_what_it_was() -> None:
    """Though the launcher's last line is another."""
    with pytest.raises(InputError, match=r"^int ended with status 1: TypeError: .*'no' is an inv"):
        launched(int, {"no": 1}, Launch("train", "ddp", 2, "cpu"))


def test_an_error_of_the_function_is_the_error(capfd: pytest.CaptureFixture[str]) -> None:
    """In one line, without what the launcher adds."""
    arguments = {"params": TrainParams(batch_size=8), "processes": 3}
    with pytest.raises(InputError, match=r"^share_of ended with status 1: train.processes: a step"):
        launched(share_of, arguments, Launch("train", "ddp", 2, "cpu"))
    assert "Traceback" not in capfd.readouterr().err


def test_a_card_is_asked_of_each_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    how = Launch("evaluate", "ddp", 8, "cuda")
    rule = "evaluate.processes: 8 processes, but this machine has 4 CUDA devices; say 4"
    with pytest.raises(InputError, match=rule):
        launched(print, {}, how)
