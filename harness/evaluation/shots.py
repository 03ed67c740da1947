"""How many examples fit before a question."""

import json

from harness.common.errors import InputError
from harness.evaluation.benchmarks import Benchmark, Doc
from harness.evaluation.language_model import LanguageModel

_CUT_SHARE = 0.05  # of the items, that `shots: fit` may cut


def check_examples(task: Benchmark, most: int, where: str) -> None:
    """Raise InputError where one of the ``most`` examples is an item: its answer would be shown.

    The examples are the first, or any where the task's sampler draws them. lm-eval takes the test
    split where a task names no other, and leaves an item out of its own examples only where both
    splits have one name.
    """
    if task.fewshot_cfg.split == task.config.test_split:
        return

    def asked(doc: Doc) -> str:
        choices = task.doc_to_choice(doc) if task.config.doc_to_choice else None
        return json.dumps([task.doc_to_text(doc), choices, task.doc_to_target(doc)], default=str)

    items = {asked(doc): place for place, doc in enumerate(task.eval_docs, 1)}
    examples = list(task.fewshot_docs() or [])
    shown = examples[:most] if task.fewshot_cfg.sampler == "first_n" else examples
    for place, doc in enumerate(shown, 1):
        if (item := items.get(asked(doc))) is not None:
            raise InputError(
                f"{where}: few-shot example {place} is item {item} of the test split: its answer "
                "would be shown; give fewshot_split other rows"
            )


def check_shots(task: Benchmark, shots: int, where: str) -> None:
    """Raise InputError where there are fewer examples than shots."""
    examples = len(task.fewshot_docs() or [])
    if examples < shots:
        rule = f"shots is {shots}, its file has {examples} examples"
        raise InputError(f"{where}: {rule}; ask for fewer shots or give a file with more")


def fit_shots(lm: LanguageModel, task: Benchmark, most: int, chat_template: bool) -> int:
    """The most examples with which at most 5% of the items are cut, or as many as without any."""
    read = _Reader(lm, task, chat_template)
    bare = read.count_cut(0)
    allowed = max(bare, int(_CUT_SHARE * len(task.eval_docs)))
    most = min(most, len(task.fewshot_docs() or []))
    # All items have the same examples, so the shortest item gives the number to start from.
    first = min(task.eval_docs, key=lambda doc: len(read.context(doc, 0)))
    while most and len(lm.tok_encode(read.context(first, most))) > lm.max_length:
        most -= 1
    while most and read.count_cut(most) > allowed:
        most -= 1
    return most


class _Reader:
    """The prompts of a task as the model gets them."""

    def __init__(self, lm: LanguageModel, task: Benchmark, chat_template: bool) -> None:
        self.lm, self.task, self.chat_template = lm, task, chat_template

    def context(self, doc: Doc, shots: int) -> str:
        """The prompt of an item after so many examples."""
        return self.task.fewshot_context(
            doc,
            shots,
            apply_chat_template=self.chat_template,
            fewshot_as_multiturn=self.chat_template,
            chat_template=self.lm.apply_chat_template if self.chat_template else None,
        )

    def count_cut(self, shots: int) -> int:
        """How many items lm-eval will cut on the left to fit the context."""
        encode, docs = self.lm.tok_encode, list(self.task.eval_docs)
        used = [len(encode(self.context(doc, shots))) for doc in docs]
        if self.task.OUTPUT_TYPE == "generate_until":
            given = self.task.config.generation_kwargs.get("max_gen_toks", self.lm.max_gen_toks)
            room = [int(given)] * len(docs)
        else:
            # The last token of a choice is only predicted, so it takes no room.
            choices = [self.task.doc_to_choice(doc) for doc in docs]
            room = [max(len(encode(choice)) for choice in own) - 1 for own in choices]
        return sum(a + b > self.lm.max_length for a, b in zip(used, room, strict=True))
