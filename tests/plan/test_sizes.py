"""Sizes of models and pools: formulas against real models, counts against files."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
)

from harness.common.errors import InputError
from harness.models.size import parameter_counts
from harness.params.params import Params, load_params
from harness.plan.sizes import COUNTED, find_model, pool_size, scratch_shape
from harness.plan.stated import find_card, stated
from tests.helpers.presets import preset_file

SIZES: dict[str, Any] = {"vocab_size": 96, "hidden_size": 32, "intermediate_size": 40}
SIZES |= {"num_hidden_layers": 3, "num_attention_heads": 4, "max_position_embeddings": 64}
MODELS = {
    "tied": (LlamaForCausalLM, LlamaConfig, {"tie_word_embeddings": True}),
    "untied": (LlamaForCausalLM, LlamaConfig, {"tie_word_embeddings": False}),
    "grouped": (MistralForCausalLM, MistralConfig, {"num_key_value_heads": 2}),
    "classifier": (LlamaForSequenceClassification, LlamaConfig, {"num_labels": 1}),
}


@pytest.mark.parametrize("kind", MODELS)
def test_parameters_follow_from_the_shape(kind: str, tmp_path: Path) -> None:
    made, config, more = MODELS[kind]
    model: PreTrainedModel = made(config(**{**SIZES, **more}))
    model.save_pretrained(tmp_path)
    model_here = find_model(str(tmp_path), None, "base_model.source")
    assert model_here.how == COUNTED
    assert model_here.shape is not None
    assert model_here.shape.parameters == model_here.parameters == model.num_parameters()
    assert model_here.shape.multiplied == model_here.multiplied
    assert parameter_counts(tmp_path)["multiplied_parameters"] == model_here.multiplied


def test_stated_shapes_give_the_published_numbers_of_parameters() -> None:
    models = stated().models
    assert models["smollm2"].parameters == 134_515_008
    assert models["meta-llama/Llama-2-7b-hf"].parameters == 6_738_415_616
    assert models["mistralai/Mistral-7B-v0.1"].parameters == 7_241_732_096
    assert models["meta-llama/Meta-Llama-3-8B"].parameters == 8_030_261_248


def test_the_scratch_model_has_the_size_that_the_lab_s_had() -> None:
    base = load_params(preset_file("lab")).base_model
    assert round(scratch_shape(base).parameters / 1e6, 1) == 0.9  # results/lab/main/table.md


def with_pool(path: str, **more: Any) -> Params:  # noqa: ANN401
    params = load_params(preset_file("own"))
    prepare = params.prepare.model_copy(update={"source": path, **more})
    return params.model_copy(update={"prepare": prepare, "preset": "mine"})


def test_a_file_is_counted(tmp_path: Path) -> None:
    rows = [{"instruction": "x" * 40, "output": "y" * 80}] * 300
    path = tmp_path / "pool.jsonl.gz"
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    pool = pool_size(with_pool(str(path)), measured=False)
    # A tenth is held out, half is for pretraining.
    assert (pool.rows, pool.prompt, pool.response) == (300 - 30 - 150, 10, 20)
    assert pool_size(with_pool(str(path), rows=200), measured=False).rows == 200 - 20 - 100
    assert pool.how.startswith(COUNTED)


def test_a_pool_of_the_hub_is_stated() -> None:
    pool = pool_size(with_pool("tatsu-lab/alpaca@abc123"), measured=True)
    assert pool.rows == 52_002 - 500 - 20_000  # at most
    assert pool.revision == "abc123"
    assert "arXiv 2306.04751" in pool.how


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("some/where", "prepare.source: some/where: its size is not known before it is"),
        ("no.jsonl", "no.jsonl: no such file"),
    ],
)
def test_a_pool_of_unknown_size(path: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pool_size(with_pool(path), measured=True)


def test_a_model_of_unknown_size() -> None:
    with pytest.raises(InputError, match=r"base_model.source: no/body: its size is not known"):
        find_model("no/body", None, "base_model.source")


def test_cards_by_name() -> None:
    # 6 N of a 7B model on one token: 40 GFLOP at 40% of 989 TFLOP/s.
    assert find_card("h100").hours(4e10, "train") == pytest.approx(4e10 / 0.4 / 989e12 / 3600)
    with pytest.raises(InputError, match="CARD=h1000: no such card; choices: h100, h200, a100"):
        find_card("h1000")
