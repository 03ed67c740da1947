"""FLOPs by the formulas, against those that torch counts on a real model."""

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM

from harness.common import flops

TOKENS = 4 * 24


def test_formulas() -> None:
    assert flops.training(10, 100) == 6 * 10 * 100
    assert flops.training(10, 100, 100) == 6 * 10 * 100
    assert flops.training(10, 101, 1) == 10 * (4 * 101 + 2 * 1)  # an adapter of one parameter
    assert flops.reading(10, 100) == 2 * 10 * 100
    assert flops.clustering(10, 3, 5, 2) == 2 * 10 * 3 * (2 * 5 + 2 * 5 + 5)


@pytest.mark.parametrize("frozen", [False, True])
def test_torch_counts_as_many_on_a_llama(frozen: bool) -> None:
    """All but attention and elementwise operations, which the formulas leave out."""
    shape: dict[str, Any] = {"vocab_size": 96, "hidden_size": 64, "intermediate_size": 172}
    shape |= {"num_hidden_layers": 2, "num_attention_heads": 4, "tie_word_embeddings": True}
    shape["attn_implementation"] = "eager"
    model = LlamaForCausalLM(LlamaConfig(**shape))
    layers = model.model.layers
    if frozen:  # as with LoRA: a few weights learn, gradients reach the first layer all the same
        model.requires_grad_(False)
        model.get_input_embeddings().register_forward_hook(lambda *of: of[2].requires_grad_())
    size = sum(weight.numel() for weight in model.parameters())
    ids = torch.randint(0, 96, (4, 24))
    with FlopCounterMode(display=False) as forward:
        model(ids)
    with FlopCounterMode(display=False) as both:
        model(ids, labels=ids).loss.backward()
    # Scores of all pairs of positions, and their sums: 4 x context x width a layer and token.
    attention = len(layers) * 4 * 24 * 64 * TOKENS
    assert forward.get_total_flops() - attention == pytest.approx(
        flops.reading(TOKENS, size), rel=0.01
    )
    trained = 0 if frozen else size
    assert both.get_total_flops() - 3 * attention == pytest.approx(
        flops.training(TOKENS, size, trained), rel=0.02
    )
