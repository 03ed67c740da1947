"""Log-likelihoods with shared beginnings equal those of each request by itself."""

import random
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from harness.evaluation.shared_prefix import Request, can_share, loglikelihoods, tokens_read

SIZES: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}


def model(implementation: str = "sdpa") -> Any:  # noqa: ANN401
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = LlamaForCausalLM(LlamaConfig(**SIZES)).eval()
        made.set_attn_implementation(implementation)
        return made


def alone(read: Any, request: Request) -> tuple[float, bool]:  # noqa: ANN401
    """The definition: one text, its logits, the continuation's log-probabilities."""
    ids = torch.tensor([request.context + request.continuation])
    with torch.inference_mode():
        logits = read(ids[:, :-1]).logits[0, len(request.context) - 1 :].float()
    logs = torch.log_softmax(logits, -1)
    wanted = torch.tensor(request.continuation)
    total = logs[range(len(wanted)), wanted].double().sum()
    return float(total), bool((logits.argmax(-1) == wanted).all())


def requests(seed: int) -> list[Request]:
    """Two benchmarks of examples of their own, items with one to five answers, and odd ones."""
    draw = random.Random(seed)

    def text(least: int, most: int) -> tuple[int, ...]:
        return tuple(draw.randrange(300) for _ in range(draw.randint(least, most)))

    examples = [text(60, 60), text(30, 30)]
    made = []
    for i in range(24):
        context = examples[i % 2] + text(1, 30)
        made += [Request(context, text(1, 9)) for _ in range(draw.randint(1, 5))]
    made += [Request(text(1, 1), text(3, 3)), Request(examples[0], text(2, 2))]
    made += [Request(examples[1][:10], text(1, 1)), made[0]]  # a shorter beginning; one asked twice
    return made


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_they_equal_each_request_alone(implementation: str, batch_size: int) -> None:
    read, asked = model(implementation), requests(batch_size)
    got = loglikelihoods(read, asked, batch_size)
    expected = [alone(read, one) for one in asked]
    assert [value for value, _ in got] == pytest.approx([v for v, _ in expected], abs=1e-4)
    assert [greedy for _, greedy in got] == [greedy for _, greedy in expected]


def test_a_greedy_continuation_is_known_as_such() -> None:
    read = model()
    context = tuple(range(20))
    with torch.inference_mode():
        ids = list(context)
        for _ in range(4):
            ids.append(int(read(torch.tensor([ids])).logits[0, -1].argmax()))
    best = tuple(ids[20:])
    other = (*best[:3], (best[3] + 1) % 300)
    got = loglikelihoods(read, [Request(context, best), Request(context, other)], 4)
    assert [greedy for _, greedy in got] == [True, False]


def test_every_answer_is_reported_once_with_its_place() -> None:
    asked, known = requests(7), {}
    answers = loglikelihoods(model(), asked, 4, lambda place, answer: known.update({place: answer}))
    assert [known[i] for i in range(len(asked))] == answers


def test_what_is_shared_is_read_once() -> None:
    examples = tuple(range(100, 150))
    asked = [Request((*examples, i, i), (1, 2, 3)) for i in range(4)]
    asked += [Request((*examples, i, i), (4, 5, 6)) for i in range(4)]
    # 50 of the examples; of each item two tokens and two of each of its two continuations.
    assert tokens_read(asked) == (50 + 4 * (2 + 2 * 2), 8 * (52 + 2))
    letters = [Request((1, 2, 3), (letter,)) for letter in range(4)]
    assert tokens_read(letters) == (3, 3)  # as lm-eval does
    assert loglikelihoods(model(), [], 4) == []


def test_models_of_other_attention_are_left_to_lm_eval() -> None:
    assert can_share(model(), 10**6)
    window = MistralForCausalLM(MistralConfig(**SIZES, sliding_window=64))
    assert not can_share(window, 65)
    read, asked = window.eval(), [Request(tuple(range(i, i + 20)), (1, 2)) for i in range(3)]
    assert can_share(read, 22)
    got = [value for value, _ in loglikelihoods(read, asked, 2)]
    assert got == pytest.approx([alone(read, one)[0] for one in asked], abs=1e-4)
    # Its frequencies depend on the longest text of a batch.
    rope = {"rope_type": "dynamic", "rope_theta": 10_000.0, "factor": 2.0}
    assert not can_share(LlamaForCausalLM(LlamaConfig(**SIZES, rope_parameters=rope)), 22)
