"""The user's pool: read as the samplers see it, and chosen records written untouched.

A line of JSONL keeps its bytes, an element of a JSON list its text, a row of Parquet its types.
Converting between JSONL and a list changes line breaks only.
"""

import gzip
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from harness.common.errors import InputError
from harness.common.locations import kind_of, locate
from harness.params.limits import DEFAULT
from harness.params.source import Source
from harness.pools.file_reader import Form, form_of, seekable
from harness.pools.instances import Instances, read_instances, to_frame
from harness.pools.raw_rows import Loaded
from harness.pools.rendering import Check, renders
from harness.pools.sources import load, source_hash
from harness.pools.unpacking import BLANK, Unpacked
from harness.select_command.choices import Choices

if TYPE_CHECKING:
    import pandas as pd

ENDINGS: dict[str, Form] = {
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".json": "list",
    ".parquet": "parquet",
}
# Line breaks in JSON are white space: inside a string they are escaped.
BREAK = re.compile(r"[ \t]*[\r\n][ \t\r\n]*")
CHUNK = 1 << 20


@dataclass(frozen=True)
class UserPool:
    """The user's pool; ``frame`` has one row an instance and the columns of data/pool.parquet."""

    source: Source
    loaded: Loaded
    instances: Instances
    frame: "pd.DataFrame"


def read_pool(choices: Choices) -> UserPool:
    """Read and check the pool; InputError as the pipeline's, with the names of our options."""
    try:
        loaded = load(choices.source)
        instances = read_instances(loaded, {}, choices.on_bad_row, _check(choices))
    except InputError as error:
        line = str(error).replace("set on_bad_row: drop", "give --on-bad-row drop")
        line = line.replace("prepare.limits.", "--limit ")
        raise InputError(line.replace("on_bad_row: drop", "--on-bad-row drop")) from None
    return UserPool(choices.source, loaded, instances, to_frame(instances.kept))


def _check(choices: Choices) -> Check | None:
    """A check, before any model runs, that the scorers' chat templates render each row."""
    if not choices.scorers:
        return None
    from harness.scorers.score_pool import rendering_tokenizer

    made = [rendering_tokenizer(it.scorer, it.scorer_params) for it in choices.scorers.values()]
    return renders(*(tokenizer for tokenizer in made if tokenizer is not None))


def ending(path: Path) -> tuple[str, bool]:
    """A file name's suffix in lower case, without `.gz`; and whether it had a `.gz`."""
    zipped = path.suffix.lower() == ".gz"
    return (path.with_suffix("") if zipped else path).suffix.lower(), zipped


def form_wanted(source: Source, out: Path) -> Form:
    """The format that ``out`` asks for; InputError where the pool cannot be written in it."""
    suffix, _ = ending(out)
    wanted = ENDINGS[suffix]
    if kind_of(source.path) != "file":  # a dataset can be written as either
        return wanted
    place = locate(source.path)
    own = form_of(place, source.path)
    if (own == "parquet") != (wanted == "parquet"):
        given = "Parquet" if own == "parquet" else "JSON"
        other = ".parquet" if own == "parquet" else ".jsonl or .json"
        raise InputError(f"--out {out}: the pool is {given}, and so is its subset; name it {other}")
    # A .json file may hold one object a line: its subset then does too.
    return own if suffix == ".json" == ending(place)[0] else wanted


def write_rows(pool: UserPool, picks: Sequence[int], form: Form, out: Path, target: Path) -> None:
    """Write the picked records, in order, to ``target``; ``out`` is its final name.

    InputError if the pool's file has changed since it was read.
    """
    if pool.loaded.card.get("sha256") != source_hash(pool.source.path):
        raise InputError(f"{pool.source.path}: changed while rows were chosen; run it again")
    rows = pool.frame["row"].iloc[list(picks)].tolist()  # from 1, as the readers count
    dataset = pool.loaded.dataset
    with target.open("wb") as raw, sink(raw, ending(out)[1]) as stream:
        chosen = None if dataset is None else dataset.select([row - 1 for row in rows])
        if form == "parquet":
            _write_table(pool.source, rows, stream) if chosen is None else chosen.to_parquet(stream)
        elif chosen is None:
            _write_json(_json_records(pool.source, rows, form), form, stream)
        else:
            _write_json([_as_json(row, out) for row in chosen], form, stream)


@contextmanager
def sink(raw: BinaryIO, zipped: bool) -> Iterator[BinaryIO]:
    """A stream onto an open file, gzipped without time or name if ``zipped``."""
    if not zipped:
        yield raw
        return
    with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream:
        yield cast("BinaryIO", stream)


def _write_json(records: Sequence[bytes], form: Form, stream: BinaryIO) -> None:
    """Write records as lines or as one list; each may end with its line's break."""
    if form == "list":
        stream.write(b"[\n" + b",\n".join(record.strip(BLANK) for record in records) + b"\n]\n")
        return
    for record in records:
        stream.write(record if record.endswith(b"\n") else record + b"\n")


def _as_json(row: object, out: Path) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False).encode()
    except TypeError as error:
        raise InputError(f"--out {out}: a row is not JSON ({error}); name it .parquet") from None


def _json_records(source: Source, rows: Sequence[int], form: Form) -> list[bytes]:
    """The bytes of a JSON file's records of these numbers, in that order."""
    name, limits = source.path, source.limits or DEFAULT
    is_list = form_of(locate(name), name, limits) == "list"
    with Unpacked(locate(name), name, limits) as stream:
        if not is_list:
            wanted = set(rows)
            lines = {i: line for i, line in stream.lines() if i in wanted and line is not None}
            return [lines[row] for row in rows]
        text = b"".join(iter(lambda: stream.read(CHUNK), b"")).decode("utf-8-sig")
    elements, at = [], text.index("[") + 1
    while text[at] != "]":
        if text[at] in ", \t\r\n":
            at += 1
            continue
        _, end = json.JSONDecoder().raw_decode(text, at)
        elements.append(text[at:end])
        at = end
    chosen = [elements[row - 1] for row in rows]
    return [(BREAK.sub(" ", text) if form == "lines" else text).encode() for text in chosen]


def _write_table(source: Source, rows: Sequence[int], stream: BinaryIO) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    limits = source.limits or DEFAULT
    file = pq.ParquetFile(seekable(locate(source.path), source.path, limits))
    codec = "UNCOMPRESSED"
    if file.metadata.num_columns:
        codec = file.metadata.row_group(0).column(0).compression
    codec = "NONE" if codec == "UNCOMPRESSED" else codec
    table = file.read()
    # Row by row: `take` joins a column's chunks, whose text may pass the 2 GB of one.
    chosen = pa.concat_tables([table.slice(row - 1, 1) for row in rows])
    pq.write_table(chosen, stream, compression=codec)
