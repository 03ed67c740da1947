"""A row that breaks a rule is named in one line, or dropped and counted."""

import json
from pathlib import Path

import pytest

from harness.common.errors import InputError
from harness.params.source import Source
from harness.pools.instances import raw_items
from harness.pools.sources import load
from tests.helpers.pool_files import ROW, as_parquet, lines, messages, read, refused

# The row, the rule that the data card counts, and what else the line says before the remedy.
BAD_ROWS: dict[str, tuple[object, str, str]] = {
    "a list": ([1, 2], "the row is a list, not an object", ""),
    "a string": ("hello", "the row is a string, not an object", ""),
    "null": (None, "the row is null, not an object", ""),
    "a number": (5, "the row is a number, not an object", ""),
    "blank instruction": ({"instruction": " \n", "output": "b"}, "blank instruction", ""),
    "null instruction": ({"instruction": None, "output": "b"}, "null instruction", ""),
    "no response": ({"instruction": "a"}, "no response", "no field output or response"),
    "null response": ({"instruction": "a", "output": None}, "null response", ""),
    "blank response": ({"instruction": "a", "output": ""}, "blank response", ""),
    "number response": (
        {"instruction": "a", "output": 5},
        "the response is not text",
        "output is a number",
    ),
    "list response": (
        {"instruction": "a", "response": ["b"]},
        "the response is not text",
        "response is a list",
    ),
    "two responses": (
        {"instruction": "a", "output": "b", "response": "c"},
        "two responses",
        "output and response",
    ),
    "number input": (
        {"instruction": "a", "input": 3, "output": "b"},
        "the input is not text",
        "it is a number",
    ),
    "surrogate": (
        {"instruction": "a", "output": "b\ud83d"},
        "a lone surrogate",
        "\\ud83d in the response",
    ),
    "surrogate in the input": (
        {"instruction": "a", "input": "\udc00", "output": "b"},
        "a lone surrogate",
        "\\udc00 in the input",
    ),
    "surrogate in the id": (
        {"id": "\udc00", "instruction": "a", "output": "b"},
        "a lone surrogate",
        "\\udc00 in the id",
    ),
    "invisible id": ({"id": "\u200b", "instruction": "a", "output": "b"}, "blank id", ""),
    "blank id": ({"id": "", "instruction": "a", "output": "b"}, "blank id", ""),
    "list id": (
        {"id": [1], "instruction": "a", "output": "b"},
        "the id is neither text nor a number",
        "it is a list",
    ),
    "duplicate id": (
        {"id": "first", "instruction": "a", "output": "b"},
        "a duplicate id",
        "'first' is also that of row 1",
    ),
    "mixed formats": (
        {"prompt": "a", "completion": "b"},
        "mixed formats",
        "this row is prompt_completion, row 1 is alpaca",
    ),
    "no format": ({"text": "a", "n": 1}, "no known format", "fields: n, text"),
    "no field": ({}, "no known format", "fields: none"),
}
BAD_CONVERSATIONS: dict[str, tuple[object, str, str]] = {
    "unknown role": (
        messages(("user", "a"), ("tool", "b"), ("assistant", "c")),
        "an unknown role",
        "turn 2: 'tool'; known: system, developer, user, human, assistant, gpt",
    ),
    "no role": (
        {"messages": [{"content": "a"}]},
        "a turn with no role",
        "turn 1 has no role",
    ),
    "no answer": (messages(("user", "a")), "a conversation with no assistant turn", ""),
    "no turn": ({"messages": []}, "a conversation with no assistant turn", ""),
    "answer first": (
        messages(("assistant", "a"), ("user", "b"), ("assistant", "c")),
        "an assistant turn before any user turn",
        "turn 1",
    ),
    "late system": (
        messages(("user", "a"), ("system", "b"), ("assistant", "c")),
        "a system turn that is not the first",
        "turn 2",
    ),
    "blank question": (messages(("user", " "), ("assistant", "c")), "blank user turn", "turn 1"),
    "blank answer": (messages(("user", "a"), ("assistant", " ")), "blank response", "turn 2"),
    "invisible answer": (
        messages(("user", "a"), ("assistant", "\u3164")),
        "blank response",
        "turn 2",
    ),
    "null answer": (messages(("user", "a"), ("assistant", None)), "null response", "turn 2"),
    "number answer": (
        messages(("user", "a"), ("assistant", 1)),
        "the response is not text",
        "turn 2 is a number",
    ),
    "no content": (
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant"}]},
        "no response",
        "turn 2",
    ),
    "a turn of text": (
        {"messages": ["a", "b"]},
        "a turn that is not an object",
        "turn 1 is a string",
    ),
    "no list": ({"messages": "a"}, "messages is not a list", "it is a string"),
    "null conversation": ({"messages": None}, "messages is not a list", "it is null"),
}


@pytest.mark.parametrize("case", BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_a_bad_row_is_named_or_dropped(tmp_path: Path, case: tuple[object, str, str]) -> None:
    bad, rule, detail = case
    data = lines({"id": "first", **ROW}) + b"\n" + lines(bad, bad, ROW)
    (tmp_path / "pool.jsonl").write_bytes(data)
    refused(tmp_path / "pool.jsonl", 3, rule, detail, {rule: 2})


# Zero width, joiner, mark of order, right to left, NUL, soft hyphen, fillers, the braille blank.
INVISIBLE = "\u200b\u200d\ufeff\u202e\0\u00ad\u3164\u115f\u1160\uffa0\u2800"


@pytest.mark.parametrize("sign", INVISIBLE, ids=ascii)
def test_a_text_that_shows_nothing_is_blank(tmp_path: Path, sign: str) -> None:
    for what, bad in (
        ("instruction", {"instruction": f" {sign}{sign}", "output": "b"}),
        ("response", {"instruction": "a", "output": f"{sign}\n"}),
    ):
        (tmp_path / "pool.jsonl").write_bytes(lines(ROW, bad, bad, ROW))
        refused(tmp_path / "pool.jsonl", 2, f"blank {what}", "", {f"blank {what}": 2})


def test_signs_that_are_seen_and_invisible_signs_among_them_stay(tmp_path: Path) -> None:
    seen = ["a\u200bb", "\U0001f468\u200d\U0001f469", "\ue000", "\u0301", "."]
    rows = [{"instruction": text, "input": "\u200b", "output": text} for text in seen]
    (tmp_path / "pool.jsonl").write_bytes(lines(*rows))
    kept = read(tmp_path / "pool.jsonl").kept
    assert [(i.prompt, i.response) for i in kept] == [(text, text) for text in seen]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"q": "a\ud800"}, "a lone surrogate (\\ud800 in the field 'q')"),
        (
            {"q": ["a", {"b": "\ud800"}]},
            "a lone surrogate (\\ud800 in the field 'q')",
        ),
        ({"id": "\udc00", "q": "a"}, "a lone surrogate (\\udc00 in the field 'id')"),
        (5, "the row is a number, not an object"),
    ],
)
def test_a_bad_row_of_a_benchmark_is_named(tmp_path: Path, bad: object, message: str) -> None:
    path = tmp_path / "bench.jsonl"
    path.write_bytes(lines({"q": "a", "n": [1.5, None]}, bad))
    with pytest.raises(InputError) as caught:
        list(raw_items(load(Source(path=str(path))), {}, "bench"))
    assert str(caught.value) == f"{path}, row 2: {message}; fix the row"


def test_a_benchmark_row_that_json_cannot_represent_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bench.parquet"
    as_parquet(path, [{"q": "a", "at": b"b"}])
    with pytest.raises(InputError, match=r"row 1: not a JSON value \(field 'at': .*; fix the row"):
        list(raw_items(load(Source(path=str(path))), {}, "bench"))


@pytest.mark.parametrize("case", BAD_CONVERSATIONS.values(), ids=BAD_CONVERSATIONS.keys())
def test_a_bad_conversation_is_named_or_dropped(
    tmp_path: Path, case: tuple[object, str, str]
) -> None:
    bad, rule, detail = case
    good = messages(("user", "a"), ("assistant", "b"))
    (tmp_path / "pool.json").write_text(json.dumps([good, bad, bad, good]))
    refused(tmp_path / "pool.json", 2, rule, detail, {rule: 2})
