"""A JSON list is read piece by piece, and as it would be in one piece."""

import json
from pathlib import Path

import pytest

from harness.common.errors import InputError
from harness.pools import json_text
from harness.pools.file_reader import read_file
from tests.helpers.pool_files import ROW

TEXT = 'é\u2028🙂\\"\n\t] , [{ -1.5e+3'
ROWS = [
    {"a": TEXT, "b": [1.5e300, -0.0, True, None, float("inf"), -7], "c": {"d": {}}},
    {},
    {"n": 12345678901234567890, TEXT: TEXT},
]
LISTS = {
    "ascii": json.dumps(ROWS),
    "utf-8": json.dumps(ROWS, ensure_ascii=False),
    "indented": "\ufeff \r\n" + json.dumps(ROWS, ensure_ascii=False, indent=3) + "\n\n",
    "close": json.dumps(ROWS, separators=(",", ":")),
}
PIECES = (1, 2, 3, 5, 1 << 20)


@pytest.mark.parametrize("size", PIECES)
@pytest.mark.parametrize("text", LISTS.values(), ids=LISTS.keys())
def test_a_list_is_the_same_in_pieces_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, size: int
) -> None:
    path = tmp_path / "pool.json"
    path.write_text(text, encoding="utf-8", newline="")
    monkeypatch.setattr(json_text, "CHUNK", size)
    rows = list(read_file(path, "pool.json"))
    assert [row.value for row in rows] == ROWS
    assert [row.number for row in rows] == [1, 2, 3]


GOOD = json.dumps(ROW)
WRONG = {
    "a wrong sign": (
        f"[{GOOD},\n é{GOOD}]",
        "row 2: not JSON (Expecting value at line 2 column 2)",
    ),
    "a wrong key": (
        f'[\n{GOOD},\n{{"a": "é\nx',
        "row 2: not JSON (Invalid control character at line 3 column 9)",
    ),
    "no comma": (
        f"[{GOOD}\n\n  {GOOD}]",
        "row 1: not JSON (Expecting ',' or ']' at line 3 column 3)",
    ),
    "cut": (f"[{GOOD}, {GOOD[:9]}", "row 2: the list is cut off"),
    "cut after a number": (f"[{GOOD}, 12", "row 2: the list is cut off"),
    "NUL": (f"[{GOOD},\n\n\0{GOOD}]", "row 3: binary, not text; give JSON, JSONL or Parquet"),
}


@pytest.mark.parametrize("size", PIECES)
@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG.keys())
def test_an_error_is_placed_the_same_in_pieces_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: tuple[str, str], size: int
) -> None:
    path = tmp_path / "pool.json"
    path.write_text(case[0], encoding="utf-8", newline="")
    monkeypatch.setattr(json_text, "CHUNK", size)
    with pytest.raises(InputError) as caught:
        list(read_file(path, "pool.json"))
    remedy = "" if "binary" in case[1] else "; fix the file, or copy it again"
    assert str(caught.value) == f"pool.json, {case[1]}{remedy}"


@pytest.mark.parametrize("size", PIECES)
def test_a_byte_that_is_not_utf_8_is_placed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    path = tmp_path / "pool.json"
    path.write_bytes(f"[{GOOD},\n ".encode() + '"éé'.encode() + b"\xc3\x28\xe9")
    monkeypatch.setattr(json_text, "CHUNK", size)
    with pytest.raises(InputError) as caught:
        list(read_file(path, "pool.json"))
    message = "pool.json, row 2: not UTF-8 (byte 0xc3 at position 7); save the file as UTF-8"
    assert str(caught.value) == message
    path.write_bytes(f"[{GOOD},\n ".encode() + b'"\xc3')  # the end of the file within a character
    with pytest.raises(InputError, match=r"row 2: not UTF-8 \(byte 0xc3 at position 3\)"):
        list(read_file(path, "pool.json"))
