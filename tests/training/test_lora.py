"""LoRA: what is trained and kept, that it repeats, and targets that are not there."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from harness.common.errors import InputError
from harness.common.files import file_hash
from harness.models.adapters import load_trained, lora_config, without_peft_warning
from harness.models.loading import load_model, load_tokenizer
from harness.params.training import LoraParams, TrainParams
from harness.training.sft import train
from tests.helpers.sft_rows import PARAMS, ROWS, plain_loss
from tests.helpers.tiny_causal_models import make_model

EVERY = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]


def lora(keep: str = "adapter", **changes: Any) -> TrainParams:  # noqa: ANN401
    knobs = LoraParams(**{"rank": 4, "alpha": 8.0, **changes})
    return PARAMS.model_copy(update={"lora": knobs, "keep_models": keep})


@pytest.fixture(scope="module")
def adapted(
    tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("adapted") / "model"
    return out, train(tiny_model, ROWS, out, lora(), seed=0)


def test_an_adapter_alone_is_kept_and_the_base_is_frozen(
    adapted: tuple[Path, dict[str, Any]], tiny_model: Path
) -> None:
    out, info = adapted
    assert not list(out.glob("*.safetensors")), "the base's weights are the base's"
    tensors = load_file(out / "adapter" / "adapter_model.safetensors")
    assert {name.split(".")[-2] for name in tensors} == {"lora_A", "lora_B"}
    assert info["trainable_parameters"] == sum(tensor.numel() for tensor in tensors.values())
    assert info["parameters"] == load_model(tiny_model).num_parameters()
    # rank * (inputs + outputs) of the seven layers of each block, by hand
    sizes = [(32, 32)] * 4 + [(32, 64)] * 2 + [(64, 32)]
    assert info["trainable_parameters"] == 2 * sum(4 * (a + b) for a, b in sizes)
    assert info["loss_curve"][-1]["loss"] < info["loss_curve"][0]["loss"]
    base, model = load_model(tiny_model), load_trained(out, tiny_model)
    changed = {
        name.split(".")[-2]
        for (name, old), new in zip(base.named_parameters(), model.parameters(), strict=True)
        if not torch.equal(old, new)
    }
    assert sorted(changed) == EVERY
    assert "### Response" in str(load_tokenizer(out).chat_template)


def test_no_file_names_the_base_s_path(
    adapted: tuple[Path, dict[str, Any]], tiny_model: Path
) -> None:
    config = json.loads((adapted[0] / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] is None
    assert config["target_modules"] == EVERY
    for path in adapted[0].rglob("*.json"):
        assert str(tiny_model) not in path.read_text(), path


def test_initial_weights_and_dropout_come_from_the_seed(tiny_model: Path, tmp_path: Path) -> None:
    made: dict[str, str] = {}
    for name, seed, dropout in (("one", 0, 0.2), ("same", 0, 0.2), ("seed", 1, 0.2), ("all", 0, 0)):
        with torch.random.fork_rng():
            torch.manual_seed(len(made))  # whatever was drawn before
            train(tiny_model, ROWS, tmp_path / name, lora(dropout=dropout), seed=seed)
        made[name] = file_hash(tmp_path / name / "adapter" / "adapter_model.safetensors")
    assert made["one"] == made["same"]
    assert len({*made.values()}) == 3


def test_the_first_loss_is_the_base_s(tiny_model: Path, tmp_path: Path) -> None:
    params = lora().model_copy(update={"epochs": 1, "batch_size": 12})
    info = train(tiny_model, ROWS, tmp_path / "out", params, seed=0)
    expected = plain_loss(tiny_model, tiny_model)
    assert info["loss_curve"][0]["loss"] == pytest.approx(expected, abs=1e-4)


def test_merged_weights_are_the_adapter_s_to_the_bit(
    adapted: tuple[Path, dict[str, Any]], tiny_model: Path, tmp_path: Path
) -> None:
    """So a score is the same however the model is kept, in bfloat16 too."""
    train(tiny_model, ROWS, tmp_path / "full", lora("full"), seed=0)
    assert not (tmp_path / "full" / "adapter").exists()
    for dtype in (torch.float32, torch.bfloat16):
        full = load_model(tmp_path / "full", dtype=dtype)
        adapter = load_trained(adapted[0], tiny_model, dtype)
        for tensors in ("named_parameters", "named_buffers"):
            pairs = [dict(getattr(model, tensors)()) for model in (full, adapter)]
            assert pairs[0].keys() == pairs[1].keys()
            for name, tensor in pairs[0].items():
                assert tensor.dtype == pairs[1][name].dtype
                assert torch.equal(tensor, pairs[1][name]), name
        configs = [model.generation_config for model in (full, adapter)]
        assert None not in configs
        assert configs[0].to_dict() == configs[1].to_dict()


def test_reading_an_adapter_draws_nothing(
    adapted: tuple[Path, dict[str, Any]], tiny_model: Path
) -> None:
    before = torch.random.get_rng_state()
    load_trained(adapted[0], tiny_model)
    assert torch.equal(before, torch.random.get_rng_state())


def test_an_adapter_goes_on(
    adapted: tuple[Path, dict[str, Any]], tiny_model: Path, tmp_path: Path
) -> None:
    params = lora().model_copy(update={"epochs": 1, "batch_size": 12})
    info = train(tiny_model, ROWS, tmp_path / "on", params, seed=0, adapter=adapted[0])
    load_trained(adapted[0], tiny_model).save_pretrained(tmp_path / "merged")
    expected = plain_loss(tmp_path / "merged", tiny_model)
    assert info["loss_curve"][0]["loss"] == pytest.approx(expected, abs=1e-4)
    assert info["trainable_parameters"] == adapted[1]["trainable_parameters"]


def test_an_adapter_that_cannot_be_read_is_one_line(
    adapted: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="an adapter, and its base model is not given"):
        load_trained(adapted[0])
    tokenizer = load_tokenizer(adapted[0])
    make_model("llama", len(tokenizer)).save_pretrained(tmp_path / "wide")
    make_model("gpt2", len(tokenizer)).save_pretrained(tmp_path / "other")
    for base in ("wide", "other"):
        with pytest.raises(InputError, match="model: the adapter cannot be loaded: ") as error:
            load_trained(adapted[0], tmp_path / base)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["q_porj"], "train.lora.targets: no linear layer is called 'q_porj'; did you mean 'q_pr"),
        (["q_proj", "mlp.q_proj"], "no linear layer is called 'mlp.q_proj'; did you mean 'q_proj'"),
        (["lm_head"], "no linear layer is called 'lm_head'; choices: down_proj, gate_proj,"),
        (["embed_tokens"], "no linear layer is called 'embed_tokens'; choices: down_proj,"),
    ],
)
def test_targets_that_are_not_there(
    tiny_model: Path, tmp_path: Path, targets: list[str], message: str
) -> None:
    with pytest.raises(InputError) as error:
        train(tiny_model, ROWS, tmp_path / "out", lora(targets=targets), seed=0)
    assert message in str(error.value)
    assert not (tmp_path / "out").exists()


def test_targets_are_layers_by_the_end_of_their_names() -> None:
    model = make_model("llama", 64)
    from peft import get_peft_model

    config = lora_config(model, rank=2, alpha=2, dropout=0.0, targets=["layers.1.mlp.up_proj"])
    with without_peft_warning():
        adapted = get_peft_model(model, config)
    names = [name for name, _ in adapted.named_parameters() if "lora_A" in name]
    assert [name.split(".")[4:7] for name in names] == [["1", "mlp", "up_proj"]]


@pytest.mark.parametrize("kind", ["gpt2", "bloom", "mistral_window"])
def test_other_architectures(kind: str, tiny_model: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny_model)
    make_model(kind, len(tokenizer)).save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    info = train(tmp_path / "base", ROWS, tmp_path / "out", lora(), seed=0)
    assert 0 < info["trainable_parameters"] < info["parameters"]
    assert info["loss_curve"][-1]["loss"] < info["loss_curve"][0]["loss"]
    load_trained(tmp_path / "out", tmp_path / "base")
