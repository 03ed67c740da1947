"""Every field of a row is read, named in the data card, or refused by a rule that is counted."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from harness.common.errors import InputError
from harness.params.prepare import PrepareParams
from harness.pools.prepare import prepare_section
from tests.helpers.pool_files import (
    BOATS,
    LAMP,
    MERGED,
    QUESTION,
    REPLY,
    ROW,
    as_parquet,
    beside,
    conversations,
    lines,
    messages,
    read,
    weighted,
)

SYSTEM = "Answer as a pirate."

# What a row is read as: (role, text) of each turn.
READ: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "context of a question": (
        {**BOATS, "context": "CREATE TABLE boats (age INTEGER)"},
        [
            ("user", f"{BOATS['question']}\n\nCREATE TABLE boats (age INTEGER)"),
            ("assistant", BOATS["answer"]),
        ],
    ),
    "input of a prompt": (
        {"prompt": "Add.", "input": "1 2", "completion": "3"},
        [("user", "Add.\n\n1 2"), ("assistant", "3")],
    ),
    "system and history": (
        {
            "instruction": "And in winter?",
            "input": "",
            "output": "Minus four.",
            "system": "Answer in Celsius.",
            "history": [["How warm is Orra in summer?", "Twenty."]],
        },
        [
            ("system", "Answer in Celsius."),
            ("user", "How warm is Orra in summer?"),
            ("assistant", "Twenty."),
            ("user", "And in winter?"),
            ("assistant", "Minus four."),
        ],
    ),
    "empty system and history": (
        {**ROW, "system": None, "history": []},
        [("user", "Say hi."), ("assistant", "Hi.")],
    ),
    "history of a prompt": (
        {"prompt": "b?", "response": "b", "history": [["a?", "a"]]},
        [("user", "a?"), ("assistant", "a"), ("user", "b?"), ("assistant", "b")],
    ),
    "system_prompt of a question": (
        {"system_prompt": SYSTEM, "question": "q", "response": "a"},
        [("system", SYSTEM), ("user", "q"), ("assistant", "a")],
    ),
    "system beside conversations": (
        {"system": SYSTEM, "tools": "", **conversations(("human", "q"), ("gpt", "a"))},
        [("system", SYSTEM), ("user", "q"), ("assistant", "a")],
    ),
    "the same system twice": (
        {"system": SYSTEM, **messages(("system", SYSTEM), QUESTION, REPLY)},
        [("system", SYSTEM), QUESTION, REPLY],
    ),
    "conversations with role and content": (
        {"conversations": messages(QUESTION, REPLY)["messages"]},
        [QUESTION, REPLY],
    ),
    "a null beside a filled alias": (
        {**MERGED, "response": "Mira."},
        [("user", f"Who lit it?\n\n{LAMP}"), ("assistant", "Mira.")],
    ),
    "a blank beside a filled alias": (
        {"instruction": "Add", "input": " ", "context": "1 2", "output": "", "response": "3"},
        [("user", "Add\n\n1 2"), ("assistant", "3")],
    ),
    "both aliases with one text": (
        {**MERGED, "input": LAMP, "output": "Mira.", "response": "Mira."},
        [("user", f"Who lit it?\n\n{LAMP}"), ("assistant", "Mira.")],
    ),
    "an empty list beside a filled format": (
        {"messages": [], **ROW},
        [("user", "Say hi."), ("assistant", "Hi.")],
    ),
    "NaN": (
        {**ROW, "id": float("nan"), "input": float("nan"), "system": float("nan")},
        [("user", "Say hi."), ("assistant", "Hi.")],
    ),
    "null tool calls": (beside(1, tool_calls=None, reasoning_content=""), [QUESTION, REPLY]),
    "no tools": ({**messages(QUESTION, REPLY), "tools": "[]"}, [QUESTION, REPLY]),
}


@pytest.mark.parametrize("case", READ.values(), ids=READ.keys())
def test_a_field_is_read(
    tmp_path: Path, case: tuple[dict[str, Any], list[tuple[str, str]]]
) -> None:
    row, turns = case
    (tmp_path / "pool.jsonl").write_bytes(lines(row))
    result = read(tmp_path / "pool.jsonl")
    assert [(m["role"], m["content"]) for m in result.kept[0].messages] == turns
    assert all(m.keys() == {"role", "content"} for m in result.kept[0].messages)
    assert result.kept[0].id == "1"
    assert result.counts().keys() >= {"rows_kept"}
    assert "fields_left_out" not in result.counts()


def test_parquet_gives_the_same_as_lines(tmp_path: Path) -> None:
    rows = [weighted(), messages(QUESTION, REPLY) | {"system": SYSTEM, "n": 3}]
    (tmp_path / "pool.jsonl").write_bytes(lines(*rows))
    as_parquet(tmp_path / "pool.parquet", [{"system": None, "n": None, **row} for row in rows])
    one, two = read(tmp_path / "pool.jsonl"), read(tmp_path / "pool.parquet")
    assert one == two
    assert one.left_out == {"n": 1}


def test_fields_that_nothing_reads_are_counted_in_the_card(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "pool.jsonl"
    turns = messages(QUESTION, REPLY)["messages"]
    turns[0]["name"] = "Orra"
    first = {"id": 1, "messages": turns, "prompt": "x", "tag": "a", "empty": " "}
    path.write_bytes(lines(first, {"id": 2, "messages": turns, "tag": "b", "none": [], "in": "z"}))
    params = PrepareParams.model_validate(
        {"source": "my", "sources": {"my": {"path": str(path), "where": {"tag": "a"}}}}
    )
    caplog.set_level(logging.INFO, "harness")
    card = prepare_section(params).card["sources"]["my"]
    assert card["fields_left_out"] == {"messages.name": 1, "prompt": 1}
    message = (
        f"note: {path}: fields not read, and the rows that have them: messages.name 1, prompt 1"
    )
    assert caplog.messages == [message]


def test_a_field_name_that_cannot_be_written_is_named_as_it_can(tmp_path: Path) -> None:
    path = tmp_path / "pool.jsonl"
    more = {f"f{i}": 1 for i in range(150)}
    odd = {"\ud800": 1, "\x1b[2J\n": 1}
    path.write_bytes(lines({**ROW, **odd, **more}, {**ROW, **odd}))
    left = read(path).counts()["fields_left_out"]
    assert list(left.items())[:2] == [("\\x1b[2J\\n", 2), ("\\ud800", 2)]
    assert (len(left), left["(52 more fields)"]) == (101, 0)
    json.dumps(left, ensure_ascii=False).encode()


def test_dropped_rows_are_logged_by_rule(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "pool.jsonl"
    blank, none = {"instruction": "a", "output": ""}, {"instruction": "a"}
    path.write_bytes(lines(ROW, blank, none, ROW, blank))
    caplog.set_level(logging.INFO, "harness")
    read(path, "drop")
    message = f"note: {path}: 3 of 5 rows dropped: blank response 2, no response 1"
    assert caplog.messages == [message]


@pytest.mark.parametrize(
    ("other", "first"), [({"prompt": "a", "completion": "b"}, 1), ({"text": "a"}, 1)]
)
def test_a_file_of_mostly_another_format_is_refused(
    tmp_path: Path, other: dict[str, Any], first: int
) -> None:
    path = tmp_path / "pool.jsonl"
    path.write_bytes(lines(ROW, ROW, other, other))
    assert sum(read(path, "drop").dropped.values()) == 2
    path.write_bytes(lines(ROW, ROW, other, other, other))
    with pytest.raises(InputError) as caught:
        read(path, "drop")
    message = (
        f"3 of 5 rows are not in the format of row {first} (alpaca); give a file of one format"
    )
    assert str(caught.value) == f"{path}: {message}"
