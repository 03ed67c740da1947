"""Benchmark items: read, converted to the hub's fields, drawn evenly; and bad ones."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.common.errors import InputError
from harness.params.prepare import PrepareParams
from harness.pools.benchmarks import drawn_evenly, read_items
from harness.suites.items import CONVERTERS, ItemSource
from tests.helpers.small_suite import write_lines

PARAMS = PrepareParams(source="lab")
ARC = {"question": "q", "choices": ["a", "b", "c"], "answer": 2}
HELLASWAG = {"ctx": "A man sits. He waits. the dog", "endings": ["a", "b"], "label": 1}
MMLU = {"question": "q", "choices": ["a", "b"], "answer": 0}


def read(folder: Path, items: list[Any], **how: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    write_lines(folder / "items.jsonl", items)
    source = ItemSource(path=str(folder / "items.jsonl"), **how)
    return read_items(PARAMS, {"bench": source})["bench"]


def test_conversions_give_the_fields_of_the_hub() -> None:
    arc = CONVERTERS["arc"](ARC)
    assert arc["choices"] == {"text": ["a", "b", "c"], "label": ["A", "B", "C"]}
    assert arc["answerKey"] == "C"
    swag = CONVERTERS["hellaswag"](HELLASWAG)
    assert (swag["ctx_a"], swag["ctx_b"]) == ("A man sits. He waits.", "the dog")
    whole = CONVERTERS["hellaswag"]({**HELLASWAG, "ctx": "A man sits. He waits."})
    assert (whole["ctx_a"], whole["ctx_b"]) == ("A man sits. He waits.", "")
    truth = CONVERTERS["truthfulqa"]({"mc1_targets": {"x": 1}, "mc2_targets": {"x": 1, "y": 0}})
    assert truth["mc2_targets"] == {"choices": ["x", "y"], "labels": [1, 0]}
    assert CONVERTERS["mmlu"](MMLU) == MMLU


@pytest.mark.parametrize(
    ("convert", "row", "rule"),
    [
        ("arc", {**ARC, "answer": 3}, "answer is 3; it must be a whole number from 0 to 2"),
        ("arc", {**ARC, "answer": "C"}, "answer is 'C'"),
        ("arc", {"question": "q", "answer": 0}, "no field 'choices'; it has answer, id, question"),
        ("hellaswag", {**HELLASWAG, "label": -1}, "label is -1"),
        ("hellaswag", {**HELLASWAG, "label": True}, "label is True"),
        ("mmlu", {**MMLU, "answer": 2}, "answer is 2; it must be a whole number from 0 to 1"),
        ("truthfulqa", {"mc1_targets": {"x": 2}, "mc2_targets": {}}, "mc1_targets is 2"),
        ("truthfulqa", {"mc1_targets": [1], "mc2_targets": {}}, "has no attribute"),
    ],
)
def test_an_item_that_cannot_be_right_is_named(
    tmp_path: Path, convert: str, row: dict[str, Any], rule: str
) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, [row], convert=convert)
    assert str(caught.value).startswith("benchmark bench, row 1: ")
    assert rule in str(caught.value)


def test_files_that_are_missing_or_empty(tmp_path: Path) -> None:
    gone = ItemSource(path=str(tmp_path / "gone.jsonl"))
    with pytest.raises(InputError, match=r"gone\.jsonl: no such file"):
        read_items(PARAMS, {"bench": gone})
    with pytest.raises(InputError, match=r"items\.jsonl"):
        read(tmp_path, [])
    with pytest.raises(InputError, match="has no items"):
        read(tmp_path, [ARC], where={"question": "another"})
    with pytest.raises(InputError, match=r"2 rows are to be taken from .*, which has 1 left"):
        read(tmp_path, [ARC], rows=2)
    with pytest.raises(InputError, match="convert 'ark'; did you mean 'arc'"):
        read(tmp_path, [ARC], convert="ark")


def test_two_items_of_one_id(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"benchmark bench, row 3: id '7' is also that of row 1; "):
        read(tmp_path, [{"id": 7}, {"question": "a"}, {"id": "7"}])


def test_items_are_drawn_evenly_over_a_field(tmp_path: Path) -> None:
    sizes = {"a": 50, "b": 20, "c": 2}
    rows = [{"subject": s, "question": f"{s}{i}"} for s, n in sizes.items() for i in range(n)]
    drawn = read(tmp_path, rows, rows=12, evenly="subject")
    assert Counter(row["subject"] for row in drawn) == {"a": 5, "b": 5, "c": 2}
    assert [r["question"] for r in drawn] == sorted(
        (r["question"] for r in drawn), key=[row["question"] for row in rows].index
    )
    assert drawn == read(tmp_path, rows, rows=12, evenly="subject")
    assert drawn != drawn_evenly(rows, ItemSource(path="x", rows=12, evenly="subject"), 1, "x")
    with pytest.raises(
        InputError,
        match=r"benchmark .*rows is 73; with evenly it must be a whole number from 1 to 72",
    ):
        read(tmp_path, rows, rows=73, evenly="subject")
    with pytest.raises(InputError, match="an item has no text in field 'topic', but None"):
        read(tmp_path, rows, rows=3, evenly="topic")


def test_items_keep_their_ids_and_fields(tmp_path: Path) -> None:
    made = read(tmp_path, [ARC, {**ARC, "id": "x7"}], convert="arc")
    assert [row["id"] for row in made] == ["bench_1", "x7"]
    assert json.dumps(made[0]["answer"]) == "2"
