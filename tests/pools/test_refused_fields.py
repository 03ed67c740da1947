"""A field that changes what a row means, and is not read, is refused by a rule that is counted."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.common.errors import InputError
from tests.helpers.pool_files import (
    BOATS,
    DROP,
    MERGED,
    QUESTION,
    REPLY,
    ROW,
    beside,
    conversations,
    lines,
    messages,
    read,
    weighted,
)

SAIL = '[{"name":"sail"}]'
KEEP_ONE = "keep one of them"
REMOVE = "remove the field, or set on_bad_row: drop"
TWO: dict[str, tuple[dict[str, Any], str]] = {
    "two inputs": (
        {**MERGED, "input": "other", "response": "Mira."},
        "two inputs (input and context); keep one field for the input",
    ),
    "two answers": (
        {**BOATS, "response": "another"},
        "two responses (answer and response); keep one field for the response",
    ),
    "two systems": (
        {"system": "a", "system_prompt": "b", **ROW},
        "two system turns (system and system_prompt); keep one field for the system turn",
    ),
    "a system and a system turn": (
        {"system": "a", **messages(("system", "b"), QUESTION, REPLY)},
        f"two system turns (a field of the row and turn 1); {KEEP_ONE}",
    ),
    "two texts of a turn": (
        beside(1, value="other"),
        "two responses (content and value); keep one field for the response",
    ),
    "a history beside messages": (
        {"history": [["a", "b"]], **messages(QUESTION, REPLY)},
        f"messages and a history; {KEEP_ONE}",
    ),
    "a history of texts": (
        {**ROW, "history": ["a", "b"]},
        f"a history that is not a list of pairs (element 1); {DROP}",
    ),
    "a history without an answer": (
        {**ROW, "history": [["a", "b"], ["c", None]]},
        f"null response of the history; {DROP}",
    ),
    "a system that is not text": (
        {**ROW, "system": ["a"]},
        f"the system turn is not text (it is a list); {DROP}",
    ),
    "tools": (
        {"tools": SAIL, **conversations(("human", "q"), ("gpt", "a"))},
        f"tools are not supported (tools); {REMOVE}",
    ),
    "text beside a tool call": (
        beside(1, tool_calls=[{"id": "c1", "function": {"name": "calc", "arguments": "{}"}}]),
        f"tool calls are not supported (turn 2: tool_calls); {REMOVE}",
    ),
    "a tool call alone": (
        beside(1, content=None, tool_calls=[{"id": "c1"}]),
        f"tool calls are not supported (turn 2: tool_calls); {REMOVE}",
    ),
    "reasoning": (
        beside(1, reasoning_content="two and three"),
        f"reasoning is not supported (turn 2: reasoning_content); {REMOVE}",
    ),
    "an image": (
        {**ROW, "images": ["cat.png"]},
        f"images, video and sound are not supported (images); {REMOVE}",
    ),
    "half a weight": (
        weighted("weight", ("user", "a", None), ("assistant", "b", 0.5)),
        f"a weight that is neither 0 nor 1 (turn 2: weight is '0.5'); {DROP}",
    ),
    "nothing learnt": (
        weighted("weight", ("user", "a", None), ("assistant", "b", 0)),
        f"a conversation with no assistant turn that is learnt; {DROP}",
    ),
    "NaN for a response": ({"instruction": "a", "output": float("nan")}, f"null response; {DROP}"),
}


@pytest.mark.parametrize("case", TWO.values(), ids=TWO.keys())
def test_a_field_is_refused_by_a_rule_that_is_counted(
    tmp_path: Path, case: tuple[dict[str, Any], str]
) -> None:
    bad, message = case
    path = tmp_path / "pool.jsonl"
    kind = next(k for k in ("messages", "conversations", "question", "instruction") if k in bad)
    good = {
        "messages": messages(QUESTION, REPLY),
        "conversations": conversations(QUESTION, REPLY),
        "question": BOATS,
        "instruction": ROW,
    }[kind]
    path.write_bytes(lines(good, bad, good))
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value) == f"{path}, row 2: {message}"
    rule = message.partition(";")[0].partition(" (")[0]
    assert read(path, "drop").dropped == {rule: 1}


@pytest.mark.parametrize("name", ["audio", "thinking", "tools"])
@pytest.mark.parametrize("value", [False, 0, "off", "None", " [] ", "FALSE", "null"])
def test_a_field_whose_text_is_none_counts_as_empty(
    tmp_path: Path, name: str, value: object
) -> None:
    path = tmp_path / "pool.jsonl"
    path.write_bytes(lines({**ROW, name: value}, {**ROW, name: True}))
    assert [item.row for item in read(path, "drop").kept] == [1]
    path.write_bytes(lines(beside(1, **{name: value}), beside(1, **{name: "off we go"})))
    assert [item.row for item in read(path, "drop").kept] == [1]


DOUBLE = '{"instruction":"Name a tree","instruction":"Name a fish","output":"Oak"}'
DEEP = '{"instruction":"a","output":"b","more":[{"x":1,"y":{"k":1,"k":1}}]}'


@pytest.mark.parametrize("name", ["pool.jsonl", "pool.json"])
@pytest.mark.parametrize(("bad", "key"), [(DOUBLE, "instruction"), (DEEP, "k")])
def test_a_key_given_twice_is_refused(tmp_path: Path, name: str, bad: str, key: str) -> None:
    path, good = tmp_path / name, json.dumps(ROW)
    rows = [good, bad, good]
    path.write_text("\n".join(rows) if name.endswith("l") else f"[{', '.join(rows)}]")
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value) == f"{path}, row 2: a key given twice ('{key}'); {DROP}"
    assert read(path, "drop").dropped == {"a key given twice": 1}
