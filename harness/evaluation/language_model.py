"""A model as lm-eval asks it, and what we use of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from harness.models.adapters import load_trained
from harness.models.loading import load_tokenizer
from harness.models.template import check_template

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from harness.evaluation.served import Server


NOT_A_NUMBER = "the model gives NaN; train with a lower rate, or on a GPU set device: cpu"


class LanguageModel(Protocol):
    """What we use of lm-eval's HFLM, whose registration hides its type."""

    max_length: int
    max_gen_toks: int
    cache_hook: Any
    server: "Server | None"  # that generates in its place
    cut: set[tuple[str, int]]  # items that were cut on the left to fit: task and place
    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"

    def tok_encode(self, string: str) -> list[int]:
        """Token ids of a text."""
        ...

    def apply_chat_template(self, chat_history: list[dict[str, str]]) -> str:
        """A conversation as the model reads it."""
        ...


def language_model(
    model: Path, device: str, batch_size: int, chat_template: bool, base: Path | None = None
) -> "LanguageModel":
    """A model wrapped for lm-eval; `base` is the one that an adapter was trained on.

    With `chat_template` it renders, encodes and stops as training does; else prompts are plain text
    and it does what lm-eval's own does.
    """
    import torch

    from harness.evaluation.hflm import ChatModel, PlainModel

    tokenizer = load_tokenizer(model)
    check_template(tokenizer)
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    loaded: Any = load_trained(model, base, dtype)
    made: Any = ChatModel if chat_template else PlainModel
    return made(pretrained=loaded.to(device), tokenizer=tokenizer, batch_size=batch_size)
