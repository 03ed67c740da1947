"""What the trainer is asked for: precision, warm-up, trials, checkpointing, the paper's recipe."""

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from transformers import TrainingArguments, get_scheduler
from transformers.utils import is_torch_bf16_gpu_available

from harness.common.errors import InputError
from harness.common.files import value_hash
from harness.models.loading import load_model, load_tokenizer
from harness.params.params import load_params
from harness.params.training import ADDED, LoraParams, TrainParams
from harness.training.sft import encode_rows, train
from harness.training.trainer import training_config, uses_bf16, whole_steps
from tests.helpers.presets import preset_file
from tests.helpers.sft_rows import PARAMS, ROWS, weights

# Table 4 of arXiv 2409.11378 and section 3.2: the batch of 64 is 8 rows, summed over 8 steps.
PAPER = TrainParams(
    epochs=3,
    learning_rate=1e-5,
    batch_size=8,
    gradient_accumulation=8,
    max_length=4096,
    schedule="linear",
    warmup=1000,
    precision="bf16",
)
RELEASED = PAPER.model_copy(update={"learning_rate": 2e-5, "warmup": 0.03})


def rates(params: TrainParams, rows: int, tmp_path: Path) -> list[float]:
    """The learning rate of each step, by transformers' own scheduler."""
    whole = whole_steps(params, rows)
    config = training_config(params, 0, "cpu", whole, str(tmp_path))
    steps = config.max_steps if config.max_steps > 0 else whole
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([weight], lr=config.learning_rate)
    schedule = get_scheduler(
        config.lr_scheduler_type, optimizer, config.get_warmup_steps(steps), steps
    )
    result = []
    for _ in range(steps):
        result.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return result


def test_the_paper_s_recipe(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = training_config(PAPER, 0, "cpu", whole_steps(PAPER, 10_000), str(tmp_path))
    assert config.bf16
    assert config.optim.startswith("adamw")
    assert config.num_train_epochs == 3
    assert config.gradient_accumulation_steps == 8
    assert config.per_device_train_batch_size * config.gradient_accumulation_steps == 64
    assert config.learning_rate == 1e-5
    assert config.warmup_steps == 1000
    # As printed: 10,000 rows are fewer steps than the warm-up, and the rate never gets there.
    assert whole_steps(PAPER, 10_000) == 471  # 157 an epoch, the last of 16 rows
    assert "train.warmup: 1000 steps of 471 there are: the learning rate ends at" in caplog.text
    printed = rates(PAPER, 10_000, tmp_path)
    assert max(printed) == pytest.approx(1e-5 * 470 / 1000)
    caplog.clear()
    released = rates(RELEASED, 10_000, tmp_path)
    assert "train.warmup" not in caplog.text
    assert max(released) == pytest.approx(2e-5)
    assert released.index(max(released)) == 15  # 3% of the steps


def test_a_step_has_as_many_rows_however_many_cards_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_it_is = TrainingArguments.__post_init__

    def with_eight_cards(self: TrainingArguments) -> None:
        as_it_is(self)
        self._n_gpu = 8

    monkeypatch.setattr(TrainingArguments, "__post_init__", with_eight_cards)
    config = training_config(PARAMS, 0, "cpu", 6, str(tmp_path))
    assert config.train_batch_size == PARAMS.batch_size


def test_warm_up_is_a_share_or_a_number_of_steps(tmp_path: Path) -> None:
    for warmup, peak in ((0.0, 0), (0, 0), (0.25, 10), (3, 3), (40, 39)):
        given = rates(PARAMS.model_copy(update={"warmup": warmup, "epochs": 10}), 16, tmp_path)
        assert len(given) == 40
        assert given.index(max(given)) == peak


@pytest.mark.parametrize("warmup", [1.0, 1.5, -1, -0.1, True, "3%"])
def test_other_warm_ups_are_refused(warmup: object) -> None:
    with pytest.raises(ValidationError, match="neither: a share of the steps is under 1"):
        TrainParams.model_validate({"warmup": warmup})


def test_a_trial_stops_early_and_says_of_how_many_steps(tiny_model: Path, tmp_path: Path) -> None:
    params = PARAMS.model_copy(update={"max_steps": 2, "group_by_length": False})
    info = train(tiny_model, ROWS, tmp_path / "trial", params, seed=0)
    assert (info["steps"], info["whole_steps"]) == (2, 6)
    lengths = [
        len(row["input_ids"]) for row in encode_rows(load_tokenizer(tiny_model), ROWS, 96)[0]
    ]
    assert info["tokens"] < sum(lengths) < PARAMS.epochs * sum(lengths)
    assert info["tokens"] >= sum(sorted(lengths)[:8])  # 2 steps of 4 rows
    packs = train(
        tiny_model, ROWS, tmp_path / "packs", params.model_copy(update={"packing": True}), seed=0
    )
    assert packs["whole_steps"] > packs["steps"] == 2
    assert 0 < packs["tokens"] <= 2 * 4 * 96


def test_as_many_steps_as_a_whole_run_has_are_no_trial(tiny_model: Path, tmp_path: Path) -> None:
    for name, most in (("whole", None), ("six", 6)):
        params = PARAMS.model_copy(update={"max_steps": most})
        info = train(tiny_model, ROWS, tmp_path / name, params, seed=0)
        assert (info["steps"], info["whole_steps"]) == (6, 6)
    assert weights(tmp_path / "whole") == weights(tmp_path / "six")


@pytest.mark.parametrize("lora", [None, LoraParams(rank=4)], ids=["full", "lora"])
def test_checkpointing_changes_no_weight(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lora: LoraParams | None
) -> None:
    from transformers.models.llama.modeling_llama import LlamaMLP

    passes = {False: 0, True: 0}
    real = LlamaMLP.forward
    for saving in passes:

        def forward(self, x, saving=saving):  # noqa: ANN001, ANN202
            passes[saving] += 1
            return real(self, x)

        monkeypatch.setattr(LlamaMLP, "forward", forward)
        changes = {"lora": lora, "epochs": 1, "gradient_checkpointing": saving}
        train(tiny_model, ROWS, tmp_path / str(saving), PARAMS.model_copy(update=changes), seed=0)
    assert passes[True] == 2 * passes[False] > 0, "every layer is computed again, backwards"
    assert weights(tmp_path / "False") == weights(tmp_path / "True")


def test_bfloat16_is_recorded_and_near_float32(tiny_model: Path, tmp_path: Path) -> None:
    infos = {}
    for precision in ("float32", "bf16"):
        params = PARAMS.model_copy(update={"precision": precision, "epochs": 1})
        infos[precision] = train(tiny_model, ROWS, tmp_path / precision, params, seed=0)
    assert infos["float32"]["precision"] == "float32"
    assert infos["bf16"]["precision"] == "bfloat16"
    losses = [[point["loss"] for point in info["loss_curve"]] for info in infos.values()]
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)
    assert losses[0] != losses[1], "mixed precision was on"
    assert load_model(tmp_path / "bf16").dtype == torch.float32, "the weights stay float32"


def test_precision_by_device() -> None:
    def made(precision: str, device: str) -> bool:
        return uses_bf16(TrainParams.model_validate({"precision": precision}), device)

    assert not made("auto", "cpu")
    assert made("bf16", "cpu")
    assert not made("float32", "cuda")
    if is_torch_bf16_gpu_available():
        assert made("auto", "cuda")
    else:
        with pytest.raises(InputError, match="auto is bfloat16 on CUDA, which this card cannot"):
            made("auto", "cuda")


def test_knobs_that_are_off_leave_a_run_s_hash_as_it_was() -> None:
    """So they retrain nothing: the hash of the lab's recipe from before there were any."""
    params = load_params(preset_file("lab")).train
    known = "b2f736c4523cd8ad5bec806a2fabfdf847b373c682060e2d5fcb30914c0c53e5"
    assert value_hash(params.recipe) == known
    changed = {
        "lora": LoraParams(),
        "precision": "bf16",
        "packing": True,
        "gradient_checkpointing": True,
        "liger": True,
        "max_steps": 3,
        "launcher": "ddp",
        "processes": 2,
    }
    assert set(changed) == set(ADDED)
    hashes = {
        value_hash(params.model_copy(update={name: value}).recipe)
        for name, value in changed.items()
    }
    assert len(hashes | {known}) == 9
    kept = params.model_copy(update={"keep_models": "none"})
    assert value_hash(kept.recipe) == known
