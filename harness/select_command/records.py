"""The records of a pool as they stand in its file: found, and written untouched to another.

A line of JSONL keeps its bytes, an element of a JSON list its text, a row of Parquet its types.
Between JSONL and a list nothing but the line breaks around and inside an element changes.
"""

import gzip
import io
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

from harness.errors import InputError
from harness.pools.places import kind_of, locate
from harness.pools.reading import PARQUET
from harness.pools.unpacking import BLANK, BOM, GZIP

if TYPE_CHECKING:
    import pyarrow as pa

Form = Literal["lines", "list", "parquet"]
ENDINGS: dict[str, Form] = {
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".json": "list",
    ".parquet": "parquet",
}
SPACE = re.compile(r"[ \t\r\n]*")
# A JSON text holds no line break outside white space: inside a string it is written \n.
BREAK = re.compile(r"[ \t]*[\r\n][ \t\r\n]*")
BATCH = 1000


def ending(path: Path) -> tuple[str, bool]:
    """A name's ending in lower case, that before `.gz` where it is zipped; and whether it is."""
    zipped = path.suffix.lower() == ".gz"
    return (path.with_suffix("") if zipped else path).suffix.lower(), zipped


def form_of(path: Path) -> Form:
    """How the records stand in a file that the readers accept."""
    with _opened(path) as stream:
        if stream.read(len(PARQUET)) == PARQUET:
            return "parquet"
        stream.seek(0)
        first = next((line for line in stream if line.removeprefix(BOM).strip(BLANK)), b"")
    name = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    is_list = first.removeprefix(BOM).lstrip(BLANK).startswith(b"[") and name[-1:].lower() != "l"
    return "list" if is_list else "lines"


def form_wanted(source: str, out: Path) -> Form:
    """How the subset is to be written: as ``out`` ends; InputError where the pool can't give it."""
    suffix, _ = ending(out)
    wanted = ENDINGS[suffix]
    if kind_of(source) != "file":  # a dataset may be written as either
        return wanted
    own = form_of(locate(source))
    if (own == "parquet") != (wanted == "parquet"):
        given = "Parquet" if own == "parquet" else "JSON"
        other = ".parquet" if own == "parquet" else ".jsonl or .json"
        raise InputError(f"--out {out}: the pool is {given}, and so is its subset; name it {other}")
    # A .json file may hold one object a line; such a pool's subset does too.
    return own if suffix == ".json" == ending(locate(source))[0] else wanted


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with path.open("rb") as raw:
        zipped = raw.read(2) == GZIP
        raw.seek(0)
        if not zipped:
            yield raw
            return
        with gzip.GzipFile(fileobj=raw) as stream:
            yield cast("BinaryIO", stream)


def write_records(
    source: Path, rows: Sequence[int], form: Form, target: Path, zipped: bool
) -> None:
    """Write records of one file to another, in the order given.

    Args:
        source: a file that the readers accept.
        rows: their numbers from 1, as the readers count: lines, or positions in a list or table.
        form: how they are to stand in the target.
        target: the file to write.
        zipped: whether to compress it by gzip.
    """
    with target.open("wb") as raw, sink(raw, zipped) as stream:
        if form == "parquet":
            _write_table(source, rows, stream)
        else:
            write_json_records(_json_records(source, rows, form), form, stream)


@contextmanager
def sink(raw: BinaryIO, zipped: bool) -> Iterator[BinaryIO]:
    """A stream onto an open file, compressed or not; no time and no name in what it writes."""
    if not zipped:
        yield raw
        return
    with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream:
        yield cast("BinaryIO", stream)


def write_json_records(records: Sequence[bytes], form: Form, stream: BinaryIO) -> None:
    """Write records as lines or as one list; each may end with its line's break."""
    if form == "list":
        stream.write(b"[\n" + b",\n".join(record.strip(BLANK) for record in records) + b"\n]\n")
        return
    for record in records:
        stream.write(record if record.endswith(b"\n") else record + b"\n")


def _json_records(source: Path, rows: Sequence[int], form: Form) -> list[bytes]:
    """The bytes of a JSON file's records, by number and in that order."""
    if form_of(source) == "list":
        elements = _elements(source)
        chosen = [elements[row - 1] for row in rows]
        return [(BREAK.sub(" ", text) if form == "lines" else text).encode() for text in chosen]
    wanted = set(rows)
    with _opened(source) as stream:
        lines = {i: line for i, line in enumerate(stream, 1) if i in wanted}
    if 1 in lines:
        lines[1] = lines[1].removeprefix(BOM)
    return [lines[row] for row in rows]


def _elements(source: Path) -> list[str]:
    """The text of each element of a JSON list."""
    with _opened(source) as stream:
        text = stream.read().decode("utf-8-sig")
    decoder = json.JSONDecoder()
    found: list[str] = []
    at = _skip(text, _skip(text, 0) + 1)  # past the opening bracket
    while text[at] != "]":
        _, end = decoder.raw_decode(text, at)
        found.append(text[at:end])
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found


def _skip(text: str, at: int) -> int:
    found = SPACE.match(text, at)
    return found.end() if found else at


def _write_table(source: Path, rows: Sequence[int], stream: BinaryIO) -> None:
    import pyarrow.parquet as pq

    with _opened(source) as opened:
        file = pq.ParquetFile(io.BytesIO(opened.read()))
    codec = "NONE"
    if file.metadata.num_columns:
        codec = file.metadata.row_group(0).column(0).compression
    codec = "NONE" if codec == "UNCOMPRESSED" else codec
    pq.write_table(_taken(file.read(), rows), stream, compression=codec)


def _taken(table: "pa.Table", rows: Sequence[int]) -> "pa.Table":
    """Rows of a table by number from 1; batch by batch, as a column's text may pass 2 GB."""
    import numpy as np
    import pyarrow as pa

    positions = np.asarray(rows) - 1
    order = np.argsort(positions)
    ascending = positions[order]
    parts, start = [], 0
    for batch in table.to_batches(max_chunksize=BATCH):
        low, high = np.searchsorted(ascending, (start, start + batch.num_rows))
        if high > low:
            parts.append(batch.take(pa.array(ascending[low:high] - start)))
        start += batch.num_rows
    return pa.Table.from_batches(parts, schema=table.schema).take(pa.array(np.argsort(order)))
