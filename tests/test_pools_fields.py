"""Every field of a row is read, named in the data card, or refused by a rule that is counted."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from harness.errors import InputError
from harness.pools.params import PrepareParams
from harness.pools.preparing import prepare_section
from tests.pool_files import ROW, as_parquet, conversations, lines, messages, read

SYSTEM = "Answer as a pirate."
SAIL = '[{"name":"sail"}]'
BOATS = {"question": "How many are older than 9?", "answer": "SELECT COUNT(*) FROM boats"}
LAMP = "Mira lit the lamp at dusk."
MERGED = {"instruction": "Who lit it?", "input": None, "output": None, "context": LAMP}
QUESTION, REPLY = ("user", "first?"), ("assistant", "right")
WEIGHTED = [("user", "first?", None), ("assistant", "WRONG", 0), ("user", "again?", None)]
WEIGHTED += [("assistant", "right", 1)]


def weighted(field: str = "weight", *turns: tuple[str, str, object]) -> dict[str, Any]:
    """A conversation whose turns say whether they are to be learnt."""
    made = [
        {"role": role, "content": text} | ({} if weight is None else {field: weight})
        for role, text, weight in turns or WEIGHTED
    ]
    return {"messages": made}


def beside(turn: int, **fields: object) -> dict[str, Any]:
    """A question and its answer, one of them with more fields."""
    row = messages(QUESTION, REPLY)
    row["messages"][turn].update(fields)
    return row


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
    found = read(tmp_path / "pool.jsonl")
    assert [(m["role"], m["content"]) for m in found.kept[0].messages] == turns
    assert all(m.keys() == {"role", "content"} for m in found.kept[0].messages)
    assert found.kept[0].id == "1"
    assert found.counts().keys() >= {"rows_kept"}
    assert "fields_left_out" not in found.counts()


KEEP_ONE = "keep one of them"
REMOVE = "remove the field, or set on_bad_row: drop"
MEND = "mend the row, or set on_bad_row: drop"
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
        f"a history that is no list of pairs (element 1); {MEND}",
    ),
    "a history without an answer": (
        {**ROW, "history": [["a", "b"], ["c", None]]},
        f"null response of the history; {MEND}",
    ),
    "a system that is no text": (
        {**ROW, "system": ["a"]},
        f"the system turn is no text (it is a list); {MEND}",
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
        f"a weight that is neither 0 nor 1 (turn 2: weight is '0.5'); {MEND}",
    ),
    "nothing learnt": (
        weighted("weight", ("user", "a", None), ("assistant", "b", 0)),
        f"a conversation with no assistant turn that is learnt; {MEND}",
    ),
    "NaN for a response": ({"instruction": "a", "output": float("nan")}, f"null response; {MEND}"),
}


@pytest.mark.parametrize("case", TWO.values(), ids=TWO.keys())
def test_a_field_is_refused_by_a_rule_that_is_counted(
    tmp_path: Path, case: tuple[dict[str, Any], str]
) -> None:
    bad, told = case
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
    assert str(caught.value) == f"{path}, row 2: {told}"
    rule = told.partition(";")[0].partition(" (")[0]
    assert read(path, "drop").dropped == {rule: 1}


@pytest.mark.parametrize("field", ["weight", "train", "training", "loss"])
def test_a_turn_that_is_not_to_be_learnt_is_marked(tmp_path: Path, field: str) -> None:
    path = tmp_path / "pool.jsonl"
    path.write_bytes(lines(weighted(field)))
    kept = read(path).kept[0]
    assert kept.messages == [
        {"role": "user", "content": "first?"},
        {"role": "assistant", "content": "WRONG", "weight": 0},
        {"role": "user", "content": "again?"},
        {"role": "assistant", "content": "right"},
    ]
    assert kept.learnt_text == "first?\n\nagain?\n\nright"


def test_what_follows_the_last_learnt_answer_is_left_off(tmp_path: Path) -> None:
    turns = [("user", "a", None), ("assistant", "b", 1), ("user", "c", None)]
    path = tmp_path / "pool.jsonl"
    path.write_bytes(lines(weighted("train", *turns, ("assistant", "WRONG", False))))
    kept = read(path).kept[0]
    assert (kept.prompt, kept.response) == ("a", "b")


def test_parquet_gives_the_same_as_lines(tmp_path: Path) -> None:
    rows = [weighted(), messages(QUESTION, REPLY) | {"system": SYSTEM, "n": 3}]
    (tmp_path / "pool.jsonl").write_bytes(lines(*rows))
    as_parquet(tmp_path / "pool.parquet", [{"system": None, "n": None, **row} for row in rows])
    one, two = read(tmp_path / "pool.jsonl"), read(tmp_path / "pool.parquet")
    assert one == two
    assert one.left_out == {"n": 1}


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
    assert str(caught.value) == f"{path}, row 2: a key given twice ('{key}'); {MEND}"
    assert read(path, "drop").dropped == {"a key given twice": 1}


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
    told = f"note: {path}: fields not read, and the rows that have them: messages.name 1, prompt 1"
    assert caplog.messages == [told]


def test_a_field_name_that_cannot_be_written_is_named_as_it_can(tmp_path: Path) -> None:
    path = tmp_path / "pool.jsonl"
    more = {f"f{i}": 1 for i in range(150)}
    path.write_bytes(lines({**ROW, "\ud800": 1, **more}, {**ROW, "\ud800": 2}))
    left = read(path).counts()["fields_left_out"]
    assert left["?"] == 2
    assert (len(left), left["(51 more fields)"]) == (101, 0)
    json.dumps(left, ensure_ascii=False).encode()


def test_dropped_rows_are_told_by_rule(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "pool.jsonl"
    blank, none = {"instruction": "a", "output": ""}, {"instruction": "a"}
    path.write_bytes(lines(ROW, blank, none, ROW, blank))
    caplog.set_level(logging.INFO, "harness")
    read(path, "drop")
    told = f"note: {path}: 3 of 5 rows dropped: blank response 2, no response 1"
    assert caplog.messages == [told]


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
    told = f"3 of 5 rows are not in the format of row {first} (alpaca); give a file of one format"
    assert str(caught.value) == f"{path}: {told}"
