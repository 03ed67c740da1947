"""How many examples fit before a question, and how many questions are cut for lack of room."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from harness.common.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_CUT_SHARE = 0.05  # of the items, that `shots: fit` may cut
Doc = dict[str, Any]  # an item


class LanguageModel(Protocol):
    """What we use of lm-eval's HFLM, whose registration hides its type."""

    max_length: int
    cache_hook: Any
    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    tok_encode: Callable[[str], list[int]]
    apply_chat_template: Callable[[list[dict[str, str]]], str]


class Benchmark(Protocol):
    """What we use of lm-eval's ConfigurableTask, whose own types say too little."""

    OUTPUT_TYPE: str
    eval_docs: Sequence[Doc]
    config: Any
    fewshot_cfg: Any
    doc_to_text: Callable[[Doc], object]
    doc_to_target: Callable[[Doc], object]  # the answer, or which choice it is
    doc_to_choice: Callable[[Doc], list[str]]
    fewshot_docs: Callable[[], Sequence[Doc] | None]  # the examples, in order
    fewshot_context: Callable[..., str]  # the prompt of an item, examples included
    set_config: Callable[[str, object], None]
    set_fewshot_seed: Callable[[int], None]


class Cut(NamedTuple):
    """How many examples precede each question, and how many items were cut to fit."""

    shots: int
    items: int


def check_examples(task: Benchmark, most: int, file: Path) -> None:
    """Raise InputError where one of the ``most`` examples is an item: its answer would be shown.

    The examples are the first, or any where the task's sampler draws them. lm-eval takes the test
    split where a task names no other, and leaves an item out of its own examples only where both
    splits have one name.
    """

    def asked(doc: Doc) -> str:
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
    """The most shots with which hardly any item is cut that would fit without."""
    bare = count_cut(lm, task, 0)
    allowed = max(bare, int(_CUT_SHARE * len(task.eval_docs)))
    most = min(most, len(task.fewshot_docs() or []))
    # All items have the same examples, so the shortest item gives the number to start from.
    first = min(task.eval_docs, key=lambda doc: len(_context(lm, task, doc, 0)))
    while most and len(lm.tok_encode(_context(lm, task, first, most))) > lm.max_length:
        most -= 1
    while most and count_cut(lm, task, most) > allowed:
        most -= 1
    return most


def count_cut(lm: "LanguageModel", task: Benchmark, shots: int) -> int:
    """How many items lm-eval will cut on the left to fit the context."""
    docs = list(task.eval_docs)
    used = [len(lm.tok_encode(_context(lm, task, doc, shots))) for doc in docs]
    if task.OUTPUT_TYPE == "generate_until":
        room = [int(task.config.generation_kwargs["max_gen_toks"])] * len(docs)
    else:
        # The last token of a choice is only predicted, so it takes no room.
        choices = [task.doc_to_choice(doc) for doc in docs]
        room = [max(len(lm.tok_encode(choice)) for choice in own) - 1 for own in choices]
    return sum(a + b > lm.max_length for a, b in zip(used, room, strict=True))


def _context(lm: "LanguageModel", task: Benchmark, doc: Doc, shots: int) -> str:
    return task.fewshot_context(
        doc,
        shots,
        apply_chat_template=True,
        fewshot_as_multiturn=True,
        chat_template=lm.apply_chat_template,
    )
