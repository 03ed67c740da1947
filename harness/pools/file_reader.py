"""Reads JSON, JSON lines and Parquet files, gzipped or not, into numbered rows.

The bytes of a file decide its type; its name decides only between JSON and JSON lines. No more of a
file is held than the row being read (of Parquet, its distinct values), and nothing is read beyond
the limits.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from harness.common.errors import InputError
from harness.params.limits import DEFAULT, Limits
from harness.pools.json_text import CHUNK, json_lines, json_list
from harness.pools.parquet import parquet_rows, read_table, table_bytes
from harness.pools.raw_rows import NO_ROWS, RawRow
from harness.pools.unpacking import BLANK, BOM, Unpacked

PARQUET = b"PAR1"
PACKED = {
    b"PK\x03\x04": "a zip archive; unpack it",
    b"\x28\xb5\x2f\xfd": "compressed with zstd; unpack it",
    b"\xfd7zXZ": "compressed with xz; unpack it",
    b"BZh": "compressed with bzip2; unpack it",
    b"\x04\x22\x4d\x18": "compressed with lz4; unpack it",
    b"Rar!": "a rar archive; unpack it",
    b"7z\xbc\xaf": "a 7z archive; unpack it",
}
OTHERS = {
    **PACKED,
    b"\xff\xfe\0\0": "UTF-32; save it as UTF-8",  # before UTF-16, whose mark it begins with
    b"\0\0\xfe\xff": "UTF-32; save it as UTF-8",
    b"\xff\xfe": "UTF-16; save it as UTF-8",
    b"\xfe\xff": "UTF-16; save it as UTF-8",
}
TABLES = (".csv", ".tsv", ".xls", ".xlsx")
Form = Literal["lines", "list", "parquet"]


def read_file(path: Path, name: str, limits: Limits = DEFAULT) -> Iterator[RawRow]:
    """Rows of a file, read on demand; a row that cannot be read has its BadRowError as value.

    InputError, with ``name``, where the whole file is unreadable, or exceeds ``limits``.
    """
    if not path.is_file():  # a pipe would block; a device may have no end
        what = "is a folder" if path.is_dir() else "not a regular file"
        what = what if path.exists() else "no such file"
        raise InputError(f"{name}: {what}; give a JSON, JSONL or Parquet file or a hub id")
    if path.suffix.lower() in TABLES:
        raise InputError(f"{name}: reads JSON, JSONL and Parquet only; convert the table to JSONL")
    with Unpacked(path, name, limits):
        pass  # refuse here, before anything else reads it, what cannot be opened
    return _rows(path, name, limits)


def form_of(path: Path, name: str, limits: Limits = DEFAULT) -> Form:
    """How a file holds its rows: lines of JSON, one list, or Parquet; InputError for others."""
    head = _head(path, name, limits)
    if head.startswith(PARQUET):
        return "parquet"
    stem = _stem(path).lower()
    if stem.endswith(".parquet") and head:
        raise InputError(f"{name}: not a Parquet file; copy or download it again")
    _refuse(OTHERS, head, f"{name}, row 1")
    text = head.removeprefix(BOM).lstrip(BLANK)
    if not text:
        raise InputError(f"{name}: {NO_ROWS}")
    return "list" if text.startswith(b"[") and not stem.endswith("l") else "lines"


def _rows(path: Path, name: str, limits: Limits) -> Iterator[RawRow]:
    form = form_of(path, name, limits)
    if form == "parquet":
        yield from parquet_rows(seekable(path, name, limits), name, limits)
        return
    with Unpacked(path, name, limits) as stream:
        yield from json_list(stream) if form == "list" else json_lines(stream, _stem(path))


def _stem(path: Path) -> str:
    return path.name[:-3] if path.name.lower().endswith(".gz") else path.name


def _head(path: Path, name: str, limits: Limits) -> bytes:
    """The beginning of a file; if that is blank, the first piece that is not."""
    with Unpacked(path, name, limits) as stream:
        start = head = stream.read_some(CHUNK)
        while start and not start.removeprefix(BOM).strip(BLANK):
            start = stream.read_some(CHUNK)
    return head if head.removeprefix(BOM).strip(BLANK) else start


def _refuse(kinds: dict[bytes, str], head: bytes, where: str) -> None:
    for magic, what in kinds.items():
        if head.startswith(magic):
            raise InputError(f"{where}: {what}")


def seekable(path: Path, name: str, limits: Limits) -> Path | io.BytesIO:
    """The file itself or, where it is zipped, its unpacked content."""
    with Unpacked(path, name, limits) as stream:
        if not stream.zipped:
            return path
        return io.BytesIO(b"".join(iter(lambda: stream.read(CHUNK), b"")))


def check_folder(folder: Path, name: str, limits: Limits) -> None:
    """Raise InputError where a folder's files together exceed the limits of one, or are packed.

    `datasets`, which reads them, unpacks without a limit. A gzip file is measured as it unpacks;
    other packed files are refused, as on their own.
    """
    total = 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        called = f"{name}/{path.relative_to(folder)}"
        with Unpacked(path, called, limits, total) as stream:
            head = stream.read_some(CHUNK)
            _refuse(PACKED, head, called)
            if head.startswith(PARQUET):
                stream.add(table_bytes(read_table(seekable(path, called, limits), called, limits)))
            elif stream.zipped:
                while stream.read(CHUNK):
                    pass
            else:
                stream.add(path.stat().st_size - len(head))
            total = stream.bytes
