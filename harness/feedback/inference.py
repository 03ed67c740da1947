"""Running a model for observation: inference mode, token limits, names and errors."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.common.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@contextmanager
def inferring(model: "PreTrainedModel") -> Iterator[None]:
    """Without gradients and dropout; a model in training mode returns to it."""
    import torch

    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(training)


def most_tokens(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", max_length: int
) -> int:
    """The most tokens that the model reads: `max_length`, or its context where that is less.

    For a model without a context length (ALiBi), its tokenizer's limit counts.
    """
    config = model.config.get_text_config()
    context = getattr(config, "max_position_embeddings", None) or tokenizer.model_max_length
    return min(context, max_length)


def name_of(names: Sequence[str] | None, i: int) -> str:
    """The name of the `i`-th conversation in messages: its id where there is one."""
    return f"instance {i} (from 0)" if names is None else f"instance {names[i]!r}"


def check_counts(**counts: int) -> None:
    """Raise InputError for a number under 1."""
    for name, value in counts.items():
        if value < 1:
            raise InputError(f"{name}: {value} is too few; give a whole number from 1")


def not_finite(name: str, what: str) -> InputError:
    """The error for a model that gives NaN or infinity for an instance."""
    return InputError(
        f"{name}: the model's {what} are NaN or infinite; train it at a lower learning rate, or "
        "on a GPU use device: cpu"
    )
