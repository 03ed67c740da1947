"""How many examples fit in front of a question, and how many questions are cut for want of room."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from harness.common.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_CUT_SHARE = 0.05  # of the items may be cut for `shots: fit` to add an example


class LanguageModel(Protocol):
    """What is used here of lm-eval's HFLM, whose registration hides its type."""

    max_length: int
    cache_hook: Any
    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"

    def tok_encode(self, string: str) -> list[int]:
        """Token ids of a text."""
        ...

    def apply_chat_template(self, chat_history: list[dict[str, str]]) -> str:
        """The text of a conversation."""
        ...


class Benchmark(Protocol):
    """What is used here of lm-eval's ConfigurableTask, whose own types say too little."""

    OUTPUT_TYPE: str
    eval_docs: Sequence[dict[str, Any]]
    config: Any
    fewshot_cfg: Any

    def doc_to_text(self, doc: dict[str, Any]) -> object:
        """The question of an item."""
        ...

    def doc_to_target(self, doc: dict[str, Any]) -> object:
        """The answer of an item, or which choice it is."""
        ...

    def doc_to_choice(self, doc: dict[str, Any]) -> list[str]:
        """The choices of an item."""
        ...

    def fewshot_docs(self) -> Sequence[dict[str, Any]] | None:
        """The examples to show, in order."""
        ...

    def fewshot_context(self, doc: dict[str, Any], num_fewshot: int, **how: object) -> str:
        """The prompt of an item, examples included."""
        ...

    def set_config(self, key: str, value: object) -> None:
        """Change a setting of the task."""
        ...


class Cut(NamedTuple):
    """Examples shown before each question, and how many items had to be cut to fit."""

    shots: int
    items: int


def check_examples(task: Benchmark, most: int, file: Path) -> None:
    """Raise InputError where an example is an item: the item's own answer would be shown with it.

    At most so many examples are shown: the first ones, or any where the task's sampler draws them.
    lm-eval takes the test split where a task names no other, and leaves an item out of its own
    examples only where both splits have one name.
    """

    def asked(doc: dict[str, Any]) -> str:
        choices = task.doc_to_choice(doc) if task.config.doc_to_choice else None
        return json.dumps([task.doc_to_text(doc), choices, task.doc_to_target(doc)], default=str)

    items = {asked(doc): place for place, doc in enumerate(task.eval_docs, 1)}
    examples = list(task.fewshot_docs() or [])
    shown = examples[:most] if task.fewshot_cfg.sampler == "first_n" else examples
    for place, doc in enumerate(shown, 1):
        if (item := items.get(asked(doc))) is not None:
            raise InputError(
                f"{file}: few-shot example {place} is item {item} of the test split: its answer "
                "would be shown; give fewshot_split other rows"
            )


def fit_shots(lm: "LanguageModel", task: Benchmark, most: int) -> int:
    """The most shots with which hardly any item is cut that would not be cut without."""
    bare = count_cut(lm, task, 0)
    allowed = max(bare, int(_CUT_SHARE * len(task.eval_docs)))
    most = min(most, len(task.fewshot_docs() or []))
    # The examples are the same for all items, so the shortest item tells where to start.
    first = min(task.eval_docs, key=lambda doc: len(_context(lm, task, doc, 0)))
    while most and len(lm.tok_encode(_context(lm, task, first, most))) > lm.max_length:
        most -= 1
    while most and count_cut(lm, task, most) > allowed:
        most -= 1
    return most


def count_cut(lm: "LanguageModel", task: Benchmark, shots: int) -> int:
    """How many items lm-eval will cut from the left for want of context."""
    docs = list(task.eval_docs)
    used = [len(lm.tok_encode(_context(lm, task, doc, shots))) for doc in docs]
    if task.OUTPUT_TYPE == "generate_until":
        room = [int(task.config.generation_kwargs["max_gen_toks"])] * len(docs)
    else:
        # The last token of a choice is only predicted, so it takes no place.
        choices = [task.doc_to_choice(doc) for doc in docs]
        room = [max(len(lm.tok_encode(choice)) for choice in own) - 1 for own in choices]
    return sum(a + b > lm.max_length for a, b in zip(used, room, strict=True))


def _context(lm: "LanguageModel", task: Benchmark, doc: dict[str, Any], shots: int) -> str:
    return task.fewshot_context(
        doc,
        shots,
        apply_chat_template=True,
        fewshot_as_multiturn=True,
        chat_template=lm.apply_chat_template,
    )
