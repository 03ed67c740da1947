"""A file that cannot be read is refused in one line: file, row, rule, remedy."""

import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.common.errors import InputError
from harness.params.source import OnBadRow
from tests.helpers.pool_files import DROP, ROW, lines, read, refused

# name, bytes, the row that is named (None: the file alone), and the rest of the line
GOOD = lines(ROW)
BAD_FILES: dict[str, tuple[str, bytes, int | None, str]] = {
    "empty": ("p.jsonl", b"", None, "empty, no rows; give a file with one instance a row"),
    "blank": ("p.jsonl", b" \n\r\n\t", None, "empty, no rows; give a file with one instance a row"),
    "empty json": ("p.json", b"", None, "empty, no rows; give a file with one instance a row"),
    "empty list": ("p.json", b"[]", None, "empty, no rows; give a file with one instance a row"),
    "empty gzip": (
        "p.jsonl.gz",
        gzip.compress(b""),
        None,
        "empty, no rows; give a file with one instance a row",
    ),
    "cut gzip": (
        "p.jsonl.gz",
        # Stored, not packed, so that what is left can be counted: six rows of 36 bytes and a bit.
        gzip.compress(lines(*({"instruction": f"{i}", "output": "b"} for i in range(9))), 0)[:240],
        None,
        "the gzip file is cut off after row 6; copy or download it again",
    ),
    "damaged gzip": (
        "p.jsonl.gz",
        gzip.compress(GOOD)[:-8] + b"12345678",
        None,
        "the gzip file is damaged after row 1; copy or download it again",
    ),
    "binary": (
        "p.jsonl",
        GOOD + bytes(range(256)),
        2,
        "binary, not text; give JSON, JSONL or Parquet",
    ),
    "zip": ("p.jsonl", b"PK\x03\x04 and more", 1, "a zip archive; unpack it"),
    "utf-16": ("p.jsonl", GOOD.decode().encode("utf-16"), 1, "UTF-16; save it as UTF-8"),
    "utf-32": ("p.jsonl", GOOD.decode().encode("utf-32"), 1, "UTF-32; save it as UTF-8"),
    "utf-32 from its high bytes": (
        "p.jsonl",
        "\ufeff{}".encode("utf-32-be"),
        1,
        "UTF-32; save it as UTF-8",
    ),
    "latin-1": (
        "p.jsonl",
        GOOD + '{"instruction": "caf\u00e9", "output": "b"}'.encode("latin-1"),
        2,
        "not UTF-8 (byte 0xe9 at position 21); save the file as UTF-8",
    ),
    "latin-1 list": (
        "p.json",
        '[\n{"instruction": "caf\u00e9", "output": "b"}]'.encode("latin-1"),
        2,
        "not UTF-8 (byte 0xe9 at position 21); save the file as UTF-8",
    ),
    "cut list": (
        "p.json",
        json.dumps([ROW, ROW]).encode()[:-9],
        2,
        "the list is cut off; fix the file, or copy it again",
    ),
    "list without its end": (
        "p.json",
        json.dumps([ROW, ROW]).encode()[:-1],
        2,
        "the list is cut off; fix the file, or copy it again",
    ),
    "broken list": (
        "p.json",
        b'[{"instruction": "a", "output": "b"},\n{instruction: 1}]',
        2,
        "not JSON (Expecting property name enclosed in double quotes at line 2 column 2);"
        " fix the file, or copy it again",
    ),
    "two lists": (
        "p.json",
        json.dumps([ROW]).encode() * 2,
        1,
        "text after the end of the list; a .json file holds one list of objects",
    ),
    "an empty list, then rows": (
        "p.json",
        b"[]\n" + GOOD,
        None,
        "text after the end of the list; a .json file holds one list of objects",
    ),
    "csv": (
        "p.csv",
        b"instruction,output\na,b\n",
        None,
        "reads JSON, JSONL and Parquet only; convert the table to JSONL",
    ),
    "no parquet": ("p.parquet", GOOD, None, "not a Parquet file; copy or download it again"),
    "cut parquet": (
        "p.parquet",
        b"PAR1 and not much more",
        None,
        "damaged or cut-off Parquet; copy or download it again",
    ),
}


@pytest.mark.parametrize("on_bad_row", ["error", "drop"])
@pytest.mark.parametrize("case", BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_file_that_cannot_be_read_is_refused_in_either_mode(
    tmp_path: Path, case: tuple[str, bytes, int | None, str], on_bad_row: OnBadRow
) -> None:
    name, data, row, rest = case
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError) as caught:
        read(tmp_path / name, on_bad_row)
    where = str(tmp_path / name) + (f", row {row}" if row else "")
    assert str(caught.value) == f"{where}: {rest}"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path / "none.jsonl")
    want = "no such file; give a JSON, JSONL or Parquet file or a hub id"
    assert str(caught.value) == f"{tmp_path / 'none.jsonl'}: {want}"


BAD_LINES = {
    "not json": (b"hello", "not JSON", "Expecting value at column 1"),
    "two values": (GOOD.strip() * 2, "not JSON", "Extra data at column 44"),
    "huge number": (b'{"n": ' + b"9" * 5000 + b"}", "not JSON", "a number of over 4300 digits"),
    "nested": (b'{"n": ' + b"[" * 200_000, "nested too deeply", ""),
}


@pytest.mark.parametrize("case", BAD_LINES.values(), ids=BAD_LINES.keys())
def test_a_line_that_is_not_json_is_named_or_dropped(
    tmp_path: Path, case: tuple[bytes, str, str]
) -> None:
    line, rule, detail = case
    (tmp_path / "pool.jsonl").write_bytes(GOOD + line + b"\n" + line + b"\n" + GOOD)
    refused(tmp_path / "pool.jsonl", 2, rule, detail, {rule: 2})


def test_a_cut_last_line_is_named_or_dropped(tmp_path: Path) -> None:
    path = tmp_path / "pool.jsonl"
    path.write_bytes(GOOD + GOOD[:20])
    with pytest.raises(InputError) as caught:
        read(path)
    detail = "(no closing brace and no line end)"
    assert str(caught.value) == f"{path}, row 2: the last line is cut off {detail}; {DROP}"
    assert read(path, "drop").dropped == {"the last line is cut off": 1}


WHOLE = '{"a": "x\\u00e9\\n", "b": [1.5e+3, true, null, NaN], "instruction": {"d": -2}}'


@pytest.mark.parametrize("at", range(1, len(WHOLE)))
def test_wherever_a_last_line_or_a_list_is_cut(tmp_path: Path, at: int) -> None:
    path = tmp_path / "pool.jsonl"
    path.write_bytes(GOOD + WHOLE[:at].encode())
    with pytest.raises(InputError, match="row 2: the last line is cut off"):
        read(path)
    path = tmp_path / "pool.json"
    path.write_bytes(b"[" + GOOD + b"," + WHOLE[:at].encode())
    with pytest.raises(InputError, match="row 2: the list is cut off"):
        read(path)


WRONG = {
    "no colon": ('{"a" 1, "b": 2}', "Expecting ':' delimiter"),
    "no comma": ('{"a": 1 "b": 2}', "Expecting ',' delimiter"),
    "bare word": ('{"a": b}', "Expecting value"),
    "single quotes": ("{'a': 1}", "Expecting property name enclosed in double quotes"),
    "escape": (r'{"a": "\uzzzz and so on"}', r"Invalid \uXXXX escape"),
    "number": ('{"a": 1.e}', "Expecting ',' delimiter"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG.keys())
def test_a_last_line_that_is_wrong_is_not_called_cut_off(
    tmp_path: Path, case: tuple[str, str]
) -> None:
    path = tmp_path / "pool.jsonl"
    path.write_bytes(GOOD + case[0].encode())
    with pytest.raises(InputError, match=re.escape(f"row 2: not JSON ({case[1]}")):
        read(path)
    path = tmp_path / "pool.json"
    path.write_bytes(b"[" + GOOD + b"," + case[0].encode())
    with pytest.raises(InputError, match=re.escape(f"row 2: not JSON ({case[1]}")):
        read(path)


def test_one_object_over_many_lines_says_what_a_json_file_holds(tmp_path: Path) -> None:
    path = tmp_path / "pool.json"
    path.write_text(json.dumps(ROW, indent=2) + "\n")
    with pytest.raises(InputError) as caught:
        read(path)
    rule = "not JSON (Expecting property name enclosed in double quotes at column 3)"
    remedy = "a .json file holds one list of objects, or one object a line"
    assert str(caught.value) == f"{path}, row 1: {rule}; {remedy}"


def test_a_file_of_bad_rows_alone_is_refused_when_they_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "pool.jsonl"
    path.write_bytes(lines([1], {"instruction": "a"}, {"instruction": "b"}))
    with pytest.raises(InputError) as caught:
        read(path, "drop")
    counts = "no response: 2, the row is a list, not an object: 1"
    assert str(caught.value) == f"{path}: no valid row among 3 ({counts}); fix the file"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["p.json", "p.jsonl", "p.parquet", "p.gz"]))
def test_any_bytes_are_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str
) -> None:
    path = tmp_path_factory.mktemp("bytes") / name
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
