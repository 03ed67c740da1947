"""Memory by hand: bytes a parameter, a position, a token of the vocabulary."""

import pytest

from harness.plan import memory
from harness.plan.stated import stated

LLAMA = stated().models["meta-llama/Llama-2-7b-hf"]


def test_weights_alone() -> None:
    assert memory.training(10, None, 4, 8) == 160  # weights, gradients, two moments
    assert memory.training(10, None, 4, 8, trained=1) == 40 + 16
    assert memory.reading(10, None, 4, 8) == 20


def test_a_7b_model() -> None:
    full = memory.training(LLAMA.parameters, LLAMA, 1, 2048)
    activations = 34 * 2048 * 4096 * 32
    logits = 12 * 2048 * 32000
    assert full == 16 * LLAMA.parameters + activations + logits
    less = memory.training(LLAMA.parameters, LLAMA, 1, 2048, checkpointing=True)
    assert full - less == pytest.approx(activations - 2048 * 4096 * (2 * 32 + 34))
    adapters = memory.lora_parameters(LLAMA, 16)
    # peft counts 39,976,960 of rank 16 on all linear layers of Llama-2-7B.
    assert adapters == 39_976_960
    small = memory.training(LLAMA.parameters, LLAMA, 1, 2048, adapters)
    assert full - small == 12 * LLAMA.parameters - 16 * adapters
    cache = 2 * 2 * 32 * 4096 * 8 * 100
    assert memory.reading(LLAMA.parameters, LLAMA, 8, 100) == (
        2 * LLAMA.parameters + cache + 12 * 8 * 32000
    )


def test_a_classifier_has_no_logits_of_the_vocabulary() -> None:
    head = LLAMA.model_copy(update={"classifier": True})
    for of in (memory.training, memory.reading):
        rows = 8 if of is memory.reading else 8 * 100
        assert of(10, LLAMA, 8, 100) - of(10, head, 8, 100) == 12 * rows * 32000
