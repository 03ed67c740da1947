"""Reads JSON, JSON lines and Parquet files, gzipped or not, into numbered rows.

What a file is, is told by its bytes; the name decides only between JSON and JSON lines. Lines end
at a line feed and nowhere else: JSON strings may hold U+2028 and its like.
"""

import gzip
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import InputError
from harness.pools.rows import BadRowError, Row, is_cut, kind

if TYPE_CHECKING:
    import pyarrow as pa

BOM = b"\xef\xbb\xbf"
GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"
OTHERS = {
    b"PK\x03\x04": "a zip archive; unpack it",
    b"\x28\xb5\x2f\xfd": "compressed with zstd; unpack it",
    b"\xfd7zXZ": "compressed with xz; unpack it",
    b"BZh": "compressed with bzip2; unpack it",
    b"\xff\xfe\0\0": "UTF-32; save it as UTF-8",  # before UTF-16, whose mark it begins with
    b"\0\0\xfe\xff": "UTF-32; save it as UTF-8",
    b"\xff\xfe": "UTF-16; save it as UTF-8",
    b"\xfe\xff": "UTF-16; save it as UTF-8",
}
TABLES = (".csv", ".tsv", ".xls", ".xlsx")
BLANK = b" \t\r\n"
SPACE = re.compile(r"[ \t\r\n]*")
UTF8_HINT = "save the file as UTF-8"
# What Arrow raises for a value that Python has no form for: a far date, an unknown time zone.
UNREADABLE = (ValueError, OverflowError, LookupError)


def read_file(path: Path, name: str) -> tuple[list[Row] | Iterator[Row], int]:
    """Rows of a file and how many there are; a row that cannot be read holds its BadRowError.

    InputError, with ``name``, for what makes the whole file unreadable.
    """
    if not path.is_file():  # a pipe or a device would be waited for, or read without end
        what = "is a folder" if path.is_dir() else "no regular file"
        what = what if path.exists() else "no such file"
        raise InputError(f"{name}: {what}; give a JSON, JSONL or Parquet file or a hub id")
    if path.suffix.lower() in TABLES:
        raise InputError(f"{name}: reads JSON, JSONL and Parquet only; convert the table to JSONL")
    stem = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    lines = _lines_of(path, name)
    if lines and lines[0].startswith(PARQUET):
        return _parquet(b"".join(lines), name)
    if stem.lower().endswith(".parquet") and lines:
        raise InputError(f"{name}: not a Parquet file; copy or download it again")
    first = _first_of_text(lines, name)
    if lines[first].lstrip(BLANK).startswith(b"[") and not stem.lower().endswith("l"):
        return _json_list(b"".join(lines), name)
    return _json_lines(lines, name, stem), sum(1 for line in lines if line.strip(BLANK))


def _first_of_text(lines: list[bytes], name: str) -> int:
    """Check that the lines are text, take a byte order mark off, and find the first not blank."""
    for magic, what in OTHERS.items():
        if lines and lines[0].startswith(magic):
            raise InputError(f"{name}, row 1: {what}")
    for number, line in enumerate(lines, 1):
        if b"\0" in line:
            raise InputError(f"{name}, row {number}: binary, not text; give JSON, JSONL or Parquet")
    if lines:
        lines[0] = lines[0].removeprefix(BOM)
    for i, line in enumerate(lines):
        if line.strip(BLANK):
            return i
    raise InputError(f"{name}: empty, no rows; give a file with one instance a row")


def _lines_of(path: Path, name: str) -> list[bytes]:
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == GZIP
            raw.seek(0)
            return _lines(gzip.GzipFile(fileobj=raw) if zipped else raw, name)
    except OSError as error:
        rule = f"cannot be read ({error.strerror})"
        raise InputError(f"{name}: {rule}; make it readable, or copy it again") from None


def _lines(stream: Iterable[bytes], name: str) -> list[bytes]:
    lines: list[bytes] = []
    try:
        lines.extend(stream)
    except EOFError:
        rule = f"the gzip file is cut off after row {len(lines)}"
        raise InputError(f"{name}: {rule}; copy or download it again") from None
    except (gzip.BadGzipFile, zlib.error):
        rule = f"the gzip file is damaged after row {len(lines)}"
        raise InputError(f"{name}: {rule}; copy or download it again") from None
    return lines


def _decode(line: bytes, name: str, number: int) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"byte 0x{line[error.start]:02x} at position {error.start + 1}"
        # Never dropped: a wrong encoding spoils every row that is not plain ASCII, silently.
        raise InputError(f"{name}, row {number}: not UTF-8 ({found}); {UTF8_HINT}") from None


def _json_lines(lines: list[bytes], name: str, stem: str) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        if not line.strip(BLANK):
            continue
        text = _decode(line, name, number)
        last = number == len(lines) and not line.endswith(b"\n")
        try:
            yield Row(number, _object(json.loads(text), stem))
        except BadRowError as bad:
            yield Row(number, bad)
        except RecursionError:
            yield Row(number, BadRowError("nested too deeply"))
        except json.JSONDecodeError as error:
            yield Row(number, _not_json(error, last and is_cut(error), stem))
        except ValueError:  # Python's limit on the digits of an integer
            yield Row(number, BadRowError("not JSON", "a number of over 4300 digits"))


def _not_json(error: json.JSONDecodeError, cut: bool, stem: str) -> BadRowError:
    if cut:
        return BadRowError("the last line is cut off", "no closing brace and no line end")
    found = f"{error.msg} at column {error.pos + 1}"
    if stem.lower().endswith(".json"):
        remedy = "a .json file holds one list of objects, or one object a line"
        return BadRowError("not JSON", found, remedy)
    return BadRowError("not JSON", found)


def _object(value: object, stem: str = "") -> object:
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and stem.lower().endswith("l"):
        remedy = "one object a line is wanted; a file that is one list is named .json"
        raise BadRowError("the row is a list, not an object", remedy=remedy)
    raise BadRowError(f"the row is {kind(value)}, not an object")


def _json_list(data: bytes, name: str) -> tuple[list[Row], int]:
    lines = data.split(b"\n")
    text = "\n".join(_decode(line, name, i) for i, line in enumerate(lines, 1))
    decoder = json.JSONDecoder()
    rows: list[Row] = []
    at = _skip(text, _skip(text, 0) + 1)
    while text[at : at + 1] != "]":
        number = len(rows) + 1
        try:
            value, at = decoder.raw_decode(text, at)
            at = _skip(text, at)
            if text[at : at + 1] == ",":
                at = _skip(text, at + 1)
            elif text[at : at + 1] != "]":
                raise json.JSONDecodeError("Expecting ',' or ']'", text, at)
        except (ValueError, RecursionError) as error:
            cut = isinstance(error, json.JSONDecodeError) and is_cut(error)
            rule = "the list is cut off" if cut else f"not JSON ({error})"
            raise InputError(f"{name}, row {number}: {rule}; mend or copy the file again") from None
        try:
            rows.append(Row(number, _object(value)))
        except BadRowError as bad:
            rows.append(Row(number, bad))
    if _skip(text, at + 1) != len(text):
        where = f"{name}, row {len(rows)}" if rows else name
        rule = "text after the end of the list"
        raise InputError(f"{where}: {rule}; a .json file holds one list of objects")
    if not rows:
        raise InputError(f"{name}: empty, no rows; give a file with one instance a row")
    return rows, len(rows)


def _skip(text: str, at: int) -> int:
    found = SPACE.match(text, at)
    return found.end() if found else at


def _parquet(data: bytes, name: str) -> tuple[Iterator[Row], int]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(data))
        twice = [column for column, n in Counter(file.schema_arrow.names).items() if n > 1]
        if twice:
            rule = f"two columns are called {twice[0]!r}"
            raise InputError(f"{name}: {rule}; rename one, or leave it out")
        table = file.read()
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        raise InputError(f"{name}: damaged or cut-off Parquet; copy or download it again") from None
    if not table.num_rows:
        raise InputError(f"{name}: empty, no rows; give a file with one instance a row")
    return _parquet_rows(table, name), table.num_rows


def _parquet_rows(table: "pa.Table", name: str) -> Iterator[Row]:
    number = 0
    for batch in table.to_batches(max_chunksize=1000):
        try:
            values = batch.to_pylist()
        except UNREADABLE:
            raise _unreadable(batch, number, name) from None
        for value in values:
            number += 1
            yield Row(number, value)


def _unreadable(batch: "pa.RecordBatch", before: int, name: str) -> InputError:
    """The line for a batch with a value that cannot be read: names its row and column."""
    for column, values in zip(batch.schema.names, batch.columns, strict=True):
        for number, value in enumerate(values, before + 1):
            try:
                value.as_py()
            except UnicodeDecodeError:
                rule = f"column {column!r} is not UTF-8; {UTF8_HINT}"
            except UNREADABLE as error:
                why = f"unknown time zone {error}" if isinstance(error, LookupError) else error
                rule = f"column {column!r} cannot be read ({why}); leave it out, or make it text"
            else:
                continue
            return InputError(f"{name}, row {number}: {' '.join(rule.split())}")
    return InputError(f"{name}: cannot be read after row {before}; save it as JSONL")
