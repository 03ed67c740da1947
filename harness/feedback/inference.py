"""Running a model for observation: inference mode and errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.common.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


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


def not_finite(name: str, what: str) -> InputError:
    """The error for a model that gives NaN or infinity for an instance."""
    return InputError(
        f"{name}: the model's {what} are NaN or infinite; train it at a lower learning rate, or "
        "on a GPU use device: cpu"
    )
