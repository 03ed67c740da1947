"""The items of a suite's benchmarks: where they are published, and which of them are taken."""

from collections.abc import Callable, Mapping
from string import ascii_uppercase
from typing import Any

from pydantic import Field

from harness.common.errors import shown
from harness.params.source import RowCount, Source, Take

Item = dict[str, Any]


class ItemSource(Source):
    """A file of benchmark items or examples, in the fields that the task's definition reads."""

    rows: RowCount = "all"
    take: Take = "first"
    evenly: str | None = None  # the field over whose values the rows are drawn evenly, at random
    # The fields in which the pool is searched for the items; none: they are examples, no questions.
    text: list[str] = Field(default=["question"])
    convert: str | None = None  # one of CONVERTERS: from a local file's fields to the hub's


def arc(row: Mapping[str, Any]) -> Item:
    """ARC: `choices` as a list and a number become the hub's texts, labels and key."""
    labels = list(ascii_uppercase[: len(row["choices"])])
    key = labels[_label(row["answer"], len(labels), "answer")]
    return {**row, "choices": {"text": list(row["choices"]), "label": labels}, "answerKey": key}


def hellaswag(row: Mapping[str, Any]) -> Item:
    """HellaSwag: the context in two parts, the second being the sentence that is to be ended.

    The hub's `ctx_b` is what begins in lower case after the last sentence; where the context ends
    with a sentence it is empty.
    """
    _label(row["label"], len(row["endings"]), "label")
    first, dot, last = str(row["ctx"]).rpartition(". ")
    begun = bool(dot) and last[:1].islower()
    parts = (first + ".", last) if begun else (row["ctx"], "")
    return {**row, "ctx_a": parts[0], "ctx_b": parts[1]}


def truthfulqa(row: Mapping[str, Any]) -> Item:
    """TruthfulQA: the targets as the hub has them, a list of choices and one of labels."""
    made = dict(row)
    for name in ("mc1_targets", "mc2_targets"):
        for value in row[name].values():
            _label(value, 2, name)
        made[name] = {"choices": list(row[name]), "labels": list(row[name].values())}
    return made


def mmlu(row: Mapping[str, Any]) -> Item:
    """MMLU: as the hub has it, its answer checked."""
    _label(row["answer"], len(row["choices"]), "answer")
    return dict(row)


def questions(row: Mapping[str, Any]) -> Item:
    """Questions for a judge, with a reference's answers: as such, or as DiverseEvol released them.

    Its files of Vicuna, Koala and WizardLM name the question `text`, `prompt` and `Instruction`.
    """
    question = _first(row, "question", "text", "prompt", "Instruction")
    for name, value in (("question", question), ("answer", row["answer"])):
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"{name} is {shown(repr(value))}; it must be a text that is not blank")
    return {"id": row["id"], "question": question, "answer": row["answer"]}


def _first(row: Mapping[str, Any], *names: str) -> object:
    """The first of these fields that there is; KeyError for the first name where none is."""
    return row[next((name for name in names if name in row), names[0])]


def _label(value: object, choices: int, field: str) -> int:
    number = value if isinstance(value, int) and not isinstance(value, bool) else None
    if number is None or not 0 <= number < choices:
        raise ValueError(f"{field} is {value!r}; it must be a whole number from 0 to {choices - 1}")
    return number


CONVERTERS: dict[str, Callable[[Mapping[str, Any]], Item]] = {
    "arc": arc,
    "hellaswag": hellaswag,
    "mmlu": mmlu,
    "questions": questions,
    "truthfulqa": truthfulqa,
}
