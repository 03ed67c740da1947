"""Existing scores: a column of the user's own file."""

import csv
import math
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness.common.errors import InputError, nearest, shown
from harness.common.files import file_hash
from harness.common.locations import locate
from harness.common.schemas import PoolRows
from harness.params.limits import DEFAULT, Count, Limits
from harness.pools.file_reader import read_file
from harness.pools.raw_rows import BadRowError
from harness.pools.unpacking import Unpacked


def column(
    pool: PoolRows,
    scratch: Path | None = None,
    *,
    file: str,
    column: str,
    file_sha256: str | None = None,
    file_mb: Count = DEFAULT.file_mb,
    row_mb: Count = DEFAULT.row_mb,
    rows: Count = DEFAULT.rows,
) -> np.ndarray:
    """The numbers of a file's column, one an instance of the pool: (n,) float64.

    `file` is CSV with a header, JSON, JSONL or Parquet, gzipped or not, of at most `file_mb`
    unpacked, `row_mb` a row and `rows` rows. Rows with an `id` are matched to the pool's ids (line
    numbers from 1 if its source has none), and rows of other ids ignored; without ids there must be
    one row an instance, in the pool's order. Raises InputError, naming file, row and rule, for a
    missing file, column or instance, a repeated id, ids from 0 where the pool's are line numbers,
    a value that is not a finite number, and a file whose hash is not `file_sha256`, which
    `make repro` writes to notice edits.
    """
    limits = Limits(file_mb=file_mb, row_mb=row_mb, rows=rows)
    ids = pool.ids
    wanted = set(ids)
    line_numbers = ids == pool.frame["row"].astype(str).tolist()
    keyed: bool | None = None
    scores: dict[str, float] = {}
    path = locate(file)
    if file_sha256 is not None and path.is_file() and file_hash(path) != file_sha256:
        rule = "not the file that file_sha256 names; make repro takes it up as it is"
        raise InputError(f"{file}: {rule}")
    for number, values in _rows(file, limits):
        keyed = _is_keyed(file, number, values, keyed)
        name = _id(file, number, values) if keyed else str(len(scores))
        if keyed and name not in wanted:
            if name == "0" and line_numbers:
                rule = "id 0, but the pool has no ids of its own and its rows count from 1"
                raise InputError(f"{file}, row {number}: {rule}; add 1 to every id")
            continue
        if name in scores:
            raise InputError(f"{file}, row {number}: id {name!r} is given twice; keep one row")
        scores[name] = _number(file, number, values, column)
    if keyed is None:
        raise InputError(f"{file}: empty, no rows; give a score for every instance")
    if not keyed and len(scores) != len(ids):
        rule = f"{len(scores)} rows without `id`, the pool has {len(ids)}"
        raise InputError(f"{file}: {rule}; give as many, in its order, or add a column `id`")
    for name in ids if keyed else ():
        if name not in scores:
            raise InputError(f"{file}: no row with the id {name!r} of the pool; add its score")
    order = ids if keyed else scores
    return np.array([scores[name] for name in order], dtype=np.float64)


def _is_keyed(file: str, number: int, values: dict[str, Any], before: bool | None) -> bool:
    """Whether the rows have ids; InputError for a column that is only almost called `id`."""
    if "id" in values:
        if before is False:
            rule = "an id, but the rows before have none"
            raise InputError(f"{file}, row {number}: {rule}; give every row one, or none")
    elif before is None:
        for key in values:
            if key.strip().lower() == "id":
                rule = f"column {shown(repr(key))} is not read as the ids"
                raise InputError(f"{file}, row {number}: {rule}; call it 'id', or leave it out")
    return "id" in values if before is None else before


def _rows(file: str, limits: Limits) -> Iterator[tuple[int, dict[str, Any]]]:
    """Numbered rows, as dictionaries."""
    path = locate(file)
    if not path.is_file():
        raise InputError(f"{file}: no such file; give a CSV, JSON, JSONL or Parquet file")
    try:
        if path.name.lower().removesuffix(".gz").endswith(".csv"):
            yield from _csv_rows(path, file, limits)
            return
        for row in read_file(path, file, limits):
            if isinstance(row.value, BadRowError):
                row.value.stop(file, row.number, optional=False)
            assert isinstance(row.value, dict)
            yield row.number, row.value
    except InputError as error:
        raise InputError(str(error).replace("prepare.limits.", "the scorer's ")) from None


def _csv_rows(path: Path, name: str, limits: Limits) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows are numbered by line, the header being line 1."""
    number = 1
    before = csv.field_size_limit(sys.maxsize)  # 131,072 characters; here `limits` bound it
    try:
        with Unpacked(path, name, limits) as stream:
            reader = csv.DictReader(stream.text_lines(), strict=True)
            heads = Counter(filter(None, reader.fieldnames or ()))
            if twice := [head for head, count in heads.items() if count > 1]:
                rule = f"two columns are called {shown(repr(twice[0]))}"
                raise InputError(f"{name}, row 1: {rule}; rename one, or leave it out")
            for values in reader:
                number = reader.line_num
                if None in values or None in values.values():
                    rule = f"{len(reader.fieldnames or ())} fields in the header, not as many here"
                    raise InputError(f"{name}, row {number}: {rule}; fix the row")
                yield number, dict(values)
    except UnicodeDecodeError:
        raise InputError(f"{name}, row {number + 1}: not UTF-8; save it as UTF-8") from None
    except csv.Error as error:
        raise InputError(f"{name}, row {number + 1}: not CSV ({error}); fix the row") from None
    finally:
        csv.field_size_limit(before)


def _id(file: str, number: int, values: dict[str, Any]) -> str:
    given = values.get("id")
    if given is None or isinstance(given, bool | list | dict) or not str(given).strip():
        raise InputError(f"{file}, row {number}: no id; give every row one, or none")
    return str(given)


def _number(file: str, number: int, values: dict[str, Any], column: str) -> float:
    where = f"{file}, row {number}"
    if column not in values:
        raise InputError(f"{where}: no column {column!r}{nearest(column, values)}")
    value = values[column]
    try:
        if isinstance(value, bool):
            raise TypeError
        score = float(value)
    except (TypeError, ValueError, OverflowError):
        rule = f"{column} is {shown(repr(value), 40)}, not a number"
        raise InputError(f"{where}: {rule}; give a finite number") from None
    if not math.isfinite(score):
        raise InputError(f"{where}: {column} is {score}; give a finite number")
    return score
