"""The number of a model's parameters, and how many a token is multiplied by, against torch."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import PreTrainedModel

from harness.common.errors import InputError
from harness.embedding.embed import load_encoder, packaged_minilm
from harness.models.size import parameter_counts
from tests.helpers.tiny_causal_models import KINDS, make_model

WEIGHTS = "model.safetensors"


def by_modules(model: Any) -> dict[str, int]:  # noqa: ANN401
    """The same two numbers from the modules: a table that is an output head too is multiplied."""
    tables = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    heads = {id(m.weight) for m in model.modules() if isinstance(m, nn.Linear)}
    sizes = {id(p): p.numel() for p in model.parameters()}
    total = sum(sizes.values())
    idle = sum(sizes[table] for table in tables - heads)
    return {"parameters": total, "multiplied_parameters": total - idle}


def saved(model: PreTrainedModel, folder: Path, **how: Any) -> Path:  # noqa: ANN401
    model.save_pretrained(folder, **how)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_counts_are_those_of_the_modules(kind: str, tmp_path: Path) -> None:
    model = make_model(kind, 96)
    assert parameter_counts(saved(model, tmp_path)) == by_modules(model)


def test_an_untied_head_counts_and_the_table_does_not(tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

    shape: dict[str, Any] = {"vocab_size": 96, "hidden_size": 32, "intermediate_size": 64}
    shape |= {"num_hidden_layers": 2, "num_attention_heads": 4}
    for tied in (True, False):
        model = LlamaForCausalLM(LlamaConfig(**shape, tie_word_embeddings=tied))
        counts = parameter_counts(saved(model, tmp_path / str(tied)))
        assert counts == by_modules(model)
        assert (counts["parameters"] == counts["multiplied_parameters"]) == tied
    judge = LlamaForSequenceClassification(LlamaConfig(**{**shape, "num_labels": 1}))
    counts = parameter_counts(saved(judge, tmp_path / "judge"))
    assert counts == by_modules(judge)
    assert counts["parameters"] - counts["multiplied_parameters"] == 96 * 32


def test_shards_count_once_whatever_lies_beside_them(tmp_path: Path) -> None:
    model = make_model("llama", 96)
    saved(model, tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    save_file({"again": torch.zeros(1000)}, tmp_path / "consolidated.safetensors")
    assert parameter_counts(tmp_path) == by_modules(model)


def test_an_encoder_in_modules() -> None:
    assert parameter_counts(packaged_minilm()) == by_modules(load_encoder("minilm", None))


def test_a_folder_without_weights_and_a_broken_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no safetensors to count parameters of"):
        parameter_counts(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(b"\xff" * 40)
    with pytest.raises(InputError, match="not safetensors; download the model again"):
        parameter_counts(tmp_path)
    saved(make_model("llama", 96), tmp_path)
    whole = load_file(tmp_path / WEIGHTS)
    data = (tmp_path / WEIGHTS).read_bytes()
    length = int.from_bytes(data[:8], "little")
    assert set(json.loads(data[8 : 8 + length])) - {"__metadata__"} == set(whole)
    (tmp_path / WEIGHTS).write_bytes(data[: 8 + length // 2])
    with pytest.raises(InputError, match="not safetensors"):
        parameter_counts(tmp_path)
