"""Every format and every kind of file is read alike."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.common.errors import InputError
from harness.pools.fields import is_blank
from harness.pools.formats import FORMATS
from harness.pools.instances import Instance, to_frame
from tests.helpers.pool_files import (
    ANSWER,
    ROW,
    USER,
    WRITERS,
    as_jsonl,
    conversations,
    lines,
    messages,
    read,
)

FORMS = {
    "alpaca": {"instruction": "Say hi.", "input": "", "output": "Hi."},
    "alpaca without input": {"instruction": "Say hi.", "output": "Hi."},
    "alpaca with null input": {"instruction": "Say hi.", "input": None, "output": "Hi."},
    "alpaca with response": {"instruction": "Say hi.", "input": " ", "response": "Hi."},
    "dolly": {"instruction": "Say hi.", "context": "", "response": "Hi.", "category": "qa"},
    "prompt and completion": {"prompt": "Say hi.", "completion": "Hi."},
    "prompt and response": {"prompt": "Say hi.", "response": "Hi."},
    "question and answer": {"question": "Say hi.", "answer": "Hi."},
    "sharegpt": conversations(("human", "Say hi."), ("gpt", "Hi.")),
    "sharegpt with an empty system": conversations(
        ("system", ""), ("human", "Say hi."), ("gpt", "Hi.")
    ),
    "openai": messages(("user", "Say hi."), ("assistant", "Hi.")),
    "openai beside a prompt": {
        "prompt": "x",
        **messages(("user", "Say hi."), ("assistant", "Hi.")),
    },
    "a last question without an answer": messages(
        ("user", "Say hi."), ("assistant", "Hi."), ("user", "And?")
    ),
}


@pytest.mark.parametrize("row", FORMS.values(), ids=FORMS.keys())
def test_every_format_gives_the_same_conversation(tmp_path: Path, row: dict[str, Any]) -> None:
    (tmp_path / "pool.jsonl").write_bytes(lines(row))
    result = read(tmp_path / "pool.jsonl").kept
    assert result == [Instance("1", 1, [USER, ANSWER])]
    assert (result[0].prompt, result[0].response) == ("Say hi.", "Hi.")


def test_the_documentation_lists_every_format_in_its_order() -> None:
    text = (Path(__file__).parents[2] / "docs/pools.md").read_text(encoding="utf-8")
    table = text.partition("## Formats")[2].partition("\n## ")[0]
    listed = [line.split("`")[3] for line in table.splitlines() if line.startswith("| `")]
    assert listed == [known.field for known in FORMATS.values()]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_file_keeps_a_conversation_of_many_turns(
    tmp_path: Path, name: str, zipped: bool
) -> None:
    turns = [("system", "Be brief."), ("user", "a\u2028b\u0085c"), ("assistant", "1\r\n2")]
    turns += [("user", "Ünï 🙂"), ("assistant", "fin\n")]
    rows = [messages(*turns), messages(*turns[:3])]
    WRITERS[name](tmp_path / name, rows)
    path = tmp_path / name
    if zipped:
        path = tmp_path / f"{name}.gz"
        path.write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    result = read(path).kept
    assert [i.messages for i in result] == [row["messages"] for row in rows]
    assert [i.row for i in result] == [1, 2]
    assert result[0].prompt == "Be brief.\n\na\u2028b\u0085c\n\n1\r\n2\n\nÜnï 🙂"
    frame = to_frame(result)
    assert [json.loads(text) for text in frame["messages"]] == [row["messages"] for row in rows]


def test_rows_keep_their_line_numbers_and_ids(tmp_path: Path) -> None:
    ids = ["8", '"x"', "123456789012345678901234567890", "null", "1.5"]
    rows = [f'{{"id": {i}, "instruction": "a", "output": "b"}}' for i in ids]
    # A byte order mark, CRLF, blank lines in between, no line end after the last row.
    (tmp_path / "pool.jsonl").write_text("\ufeff" + "\r\n \r\n".join(rows), newline="")
    result = read(tmp_path / "pool.jsonl").kept
    assert [(i.id, i.row) for i in result] == [
        ("8", 1),
        ("x", 3),
        ("123456789012345678901234567890", 5),
        ("7", 7),
        ("1.5", 9),
    ]


def test_exact_duplicates_without_ids_do_not_share_an_id(tmp_path: Path) -> None:
    (tmp_path / "pool.jsonl").write_bytes(lines(ROW, ROW))
    assert [i.id for i in read(tmp_path / "pool.jsonl").kept] == ["1", "2"]


def test_the_input_follows_the_instruction(tmp_path: Path) -> None:
    row = {"instruction": "Add.", "input": "1 2", "output": "3"}
    (tmp_path / "pool.jsonl").write_bytes(lines(row))
    assert read(tmp_path / "pool.jsonl").kept[0].prompt == "Add.\n\n1 2"


def test_where_keeps_what_equals_or_holds_the_value(tmp_path: Path) -> None:
    path = tmp_path / "pool.jsonl"
    path.write_bytes(lines({**ROW, "in": ["a", "b"]}, {**ROW, "in": "a"}, {**ROW, "in": "ab"}, ROW))
    result = read(path, where={"in": "a"})
    assert ([i.row for i in result.kept], result.filtered) == ([1, 2], 2)
    with pytest.raises(InputError) as caught:
        read(path, where={"in": "z"})
    assert str(caught.value) == f"{path}: none of the 4 rows has in = z; correct `where`"


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: not is_blank(text)
)
TURNS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(st.lists(TURNS, min_size=1, max_size=3), st.sampled_from(sorted(WRITERS)), st.booleans())
def test_any_text_survives_any_file(
    tmp_path_factory: pytest.TempPathFactory,
    pool: list[list[tuple[str, str]]],
    name: str,
    ascii_only: bool,
) -> None:
    rows = [
        messages(*(t for q, a in turns for t in (("user", q), ("assistant", a)))) for turns in pool
    ]
    path = tmp_path_factory.mktemp("any") / name
    WRITERS[name](path, rows)
    if not ascii_only and WRITERS[name] is as_jsonl:
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        path.write_text(text, encoding="utf-8", newline="")
    assert [i.messages for i in read(path).kept] == [row["messages"] for row in rows]
