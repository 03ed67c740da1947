"""Fine-tuning: what is learnt, that it repeats, and what it reports."""

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.common.errors import InputError
from harness.models.loading import load_model, load_tokenizer
from harness.models.template import Messages, ensure_template
from harness.params.training import LoraParams
from harness.training.sft import encode_rows, train
from tests.helpers.sft_rows import PARAMS, ROWS, plain_loss, weights


@pytest.fixture(scope="module")
def trained(
    tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("trained") / "model"
    return out, train(tiny_model, ROWS, out, PARAMS, seed=0)


def test_what_is_reported(trained: tuple[Path, dict[str, Any]], tiny_model: Path) -> None:
    out, info = trained
    tokenizer = load_tokenizer(tiny_model)
    ensure_template(tokenizer, "alpaca_short")
    rows, _, _ = encode_rows(tokenizer, ROWS, 96)
    assert info["steps"] == info["whole_steps"] == 2 * 3
    size = load_model(out).num_parameters()
    assert (info["parameters"], info["trainable_parameters"]) == (size, size)
    assert info["precision"] == "float32"
    assert info["tokens"] == 2 * sum(len(row["input_ids"]) for row in rows)
    assert (info["truncated"], info["dropped"]) == (0, 0)
    assert info["seconds"] > 0
    assert info["peak_memory_mb"] > 50
    curve = info["loss_curve"]
    assert [point["step"] for point in curve] == [1, 2, 3, 4, 5, 6]
    assert curve[-1]["epoch"] == 2
    assert curve[-1]["loss"] < curve[0]["loss"] - 0.3
    assert not list(out.glob("*.bin")), "no pickle, which would hold machine paths"


def test_a_single_step_trains(tiny_model: Path, tmp_path: Path) -> None:
    params = PARAMS.model_copy(update={"epochs": 1, "batch_size": 12})
    assert train(tiny_model, ROWS, tmp_path / "model", params, seed=0)["steps"] == 1
    assert weights(tmp_path / "model") != weights(tiny_model)


def test_the_result_loads_with_its_template(trained: tuple[Path, dict[str, Any]]) -> None:
    out, _ = trained
    assert load_model(out).dtype == torch.float32
    assert "### Response" in str(load_tokenizer(out).chat_template)


def test_same_seed_same_bytes_other_seed_other_bytes(
    trained: tuple[Path, dict[str, Any]], tiny_model: Path, tmp_path: Path
) -> None:
    again = train(tiny_model, ROWS, tmp_path / "again", PARAMS, seed=0)
    train(tiny_model, ROWS, tmp_path / "other", PARAMS, seed=1)
    assert weights(tmp_path / "again") == weights(trained[0])
    assert again["loss_curve"] == trained[1]["loss_curve"]
    assert weights(tmp_path / "other") != weights(trained[0])


def test_the_loss_is_that_of_the_assistant_s_tokens(tiny_model: Path, tmp_path: Path) -> None:
    # One batch of all rows: the first logged loss is that of the untouched model.
    params = PARAMS.model_copy(update={"epochs": 1, "batch_size": 12})
    info = train(tiny_model, ROWS, tmp_path / "out", params, seed=0)
    assert info["loss_curve"][0]["loss"] == pytest.approx(
        plain_loss(tiny_model, tiny_model), abs=1e-4
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"gradient_accumulation": 3},
        {"lora": LoraParams(rank=4)},
        {"packing": True, "batch_size": 1, "gradient_accumulation": 2},
    ],
    ids=["plain", "accumulated", "lora", "packed"],
)
def test_our_loss_and_trl_s_train_the_same_model(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    from trl.trainer.sft_trainer import SFTTrainer

    params = PARAMS.model_copy(update=changes)
    ours = train(tiny_model, ROWS, tmp_path / "ours", params, seed=0)
    monkeypatch.setattr("harness.training.trainer.response_loss_trainer", lambda: SFTTrainer)
    theirs = train(tiny_model, ROWS, tmp_path / "theirs", params, seed=0)
    losses = [[point["loss"] for point in info["loss_curve"]] for info in (ours, theirs)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
    pairs = zip(
        load_model(tmp_path / "ours").parameters(),
        load_model(tmp_path / "theirs").parameters(),
        strict=True,
    )
    for one, other in pairs:
        torch.testing.assert_close(one, other, atol=2e-4, rtol=1e-3)


def test_long_rows_are_cut_counted_and_dropped_if_nothing_is_left(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model)
    ensure_template(tokenizer, "alpaca_short")
    full = encode_rows(tokenizer, ROWS[:1], 1000)[0][0]
    first = next(i for i, label in enumerate(full["labels"]) if label != -100)
    rows, truncated, dropped = encode_rows(tokenizer, ROWS[:1], first + 1)
    assert (len(rows[0]["input_ids"]), truncated, dropped) == (first + 1, 1, 0)
    assert [label for label in rows[0]["labels"] if label != -100] == [full["labels"][first]]
    long = [{"role": "user", "content": "long " * 200}, {"role": "assistant", "content": "yes"}]
    rows, truncated, dropped = encode_rows(tokenizer, [ROWS[0], long], len(full["input_ids"]))
    assert (len(rows), truncated, dropped) == (1, 1, 1)
    with pytest.raises(InputError, match="none of 1 rows leaves a response within 8 tokens"):
        encode_rows(tokenizer, ROWS[:1], 8)


def test_rows_are_cut_to_the_model_s_context(tiny_model: Path, tmp_path: Path) -> None:
    long = [{"role": "user", "content": "Go on."}, {"role": "assistant", "content": "la " * 300}]
    params = PARAMS.model_copy(update={"epochs": 1, "max_length": 4096})
    info = train(tiny_model, [long], tmp_path / "out", params, seed=0)
    assert (info["tokens"], info["truncated"]) == (128, 1)


def test_progress_is_reported_off_a_terminal(
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("harness.common.progress.PLAIN_EVERY_S", 0.0)
    with caplog.at_level("INFO", logger="harness.common.progress"):
        train(tiny_model, ROWS, tmp_path / "out", PARAMS, seed=3)
    assert len(caplog.messages) == 6
    assert caplog.messages[-1].startswith("train seed 3: 6 of 6, ")
    assert "it/s" not in capfd.readouterr().err, "no bars off a terminal"


def test_a_model_without_a_template_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_model, tmp_path / "base")
    (tmp_path / "base" / "chat_template.jinja").unlink()
    with pytest.raises(InputError, match=r"base: the tokenizer has no chat template; dvc repro"):
        train(tmp_path / "base", ROWS, tmp_path / "out", PARAMS, seed=0)
    assert not (tmp_path / "out").exists()


def test_a_failed_run_leaves_nothing(tiny_model: Path, tmp_path: Path) -> None:
    params = PARAMS.model_copy(update={"max_length": 4})
    with pytest.raises(InputError):
        train(tiny_model, ROWS, tmp_path / "out", params, seed=0)
    assert list(tmp_path.iterdir()) == []


def test_models_that_cannot_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no such model folder"):
        load_model(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no such model folder"):
        load_tokenizer(str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"config\.json is missing"):
        load_model(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        load_model(tmp_path)
    # An address that nothing listens at: what a machine without network sees.
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    start = time.monotonic()
    for load in (load_model, load_tokenizer):
        with pytest.raises(
            InputError, match=r"^nowhere/nothing: .* the hub is out of reach"
        ) as error:
            load("nowhere/nothing")
        assert "\n" not in str(error.value)
    assert time.monotonic() - start < 10


def test_broken_weights_are_one_line(tiny_model: Path, tmp_path: Path) -> None:
    for file in tiny_model.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[:-50_000])
    (tmp_path / "config.json").write_bytes((tiny_model / "config.json").read_bytes())
    with pytest.raises(InputError, match="the model cannot be loaded") as error:
        load_model(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("group_by_length", "most"), [(True, 0.2), (False, 1.0)])
def test_rows_of_one_length_share_a_batch(
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    group_by_length: bool,
    most: float,
) -> None:
    """The share of padding in the batches the model reads, with and without."""
    from transformers import LlamaModel

    shapes: list[tuple[int, int]] = []
    real = LlamaModel.forward

    def forward(self, input_ids=None, attention_mask=None, **kwargs):  # noqa: ANN001, ANN003, ANN202
        assert attention_mask is not None
        shapes.append((attention_mask.numel(), int(attention_mask.sum())))
        return real(self, input_ids=input_ids, attention_mask=attention_mask, **kwargs)

    monkeypatch.setattr(LlamaModel, "forward", forward)
    mixed: list[Messages] = [
        [
            {"role": "user", "content": "Go on."},
            {"role": "assistant", "content": "word " * (1 if i % 2 else 40)},
        ]
        for i in range(64)
    ]
    params = PARAMS.model_copy(update={"epochs": 1, "group_by_length": group_by_length})
    info = train(tiny_model, mixed, tmp_path / "model", params, seed=0)
    read, real_tokens = map(sum, zip(*shapes, strict=True))
    assert real_tokens == info["tokens"]
    padding = 1 - real_tokens / read
    assert padding <= most
    assert group_by_length or padding > 0.3


def test_a_loss_of_nan_is_reported(tiny_model: Path, tmp_path: Path) -> None:
    params = PARAMS.model_copy(update={"learning_rate": 1e30, "warmup": 0.0})
    with pytest.raises(InputError, match=r"not finite at step \d+; lower train.learning_rate"):
        train(tiny_model, ROWS, tmp_path / "model", params, seed=0)
    assert not (tmp_path / "model").exists()
