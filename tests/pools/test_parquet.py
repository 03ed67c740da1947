"""A Parquet file that cannot be read, or swells, is refused in one line that names the column."""

import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.common.errors import InputError
from harness.params.limits import Limits
from harness.pools.file_reader import read_file
from harness.pools.raw_rows import BadRowError
from tests.helpers.pool_files import read

TEXT = {"instruction": ["Say hi."] * 3, "output": ["Hi."] * 3}
FAR = pa.array([0, 0, 9 * 10**18], pa.int64())
UTF8 = "not UTF-8; save the file as UTF-8"


def not_text(*values: bytes) -> pa.Array:
    """A column of strings that are none."""
    return pa.Array.from_buffers(pa.string(), len(values), pa.array(values).buffers())


COLUMNS = {
    "far time": (FAR.cast(pa.timestamp("us")), "row 3: column 't' cannot be read (date value out"),
    "far day": (
        pa.array([0, 2**30, 0], pa.date32()),
        "row 2: column 't' cannot be read (days=1073741824",
    ),
    "zone": (
        pa.array([5] * 3, pa.timestamp("us", tz="Mars/Base")),
        "row 1: column 't' cannot be read (unknown time zone 'Mars/Base'); leave it out, or make",
    ),
    "bytes": (not_text(b"a", b"b", b"\xff"), f"row 3: column 't' is {UTF8}"),
}


@pytest.mark.parametrize("case", COLUMNS.values(), ids=COLUMNS.keys())
def test_a_column_that_cannot_be_read_is_named(tmp_path: Path, case: tuple[pa.Array, str]) -> None:
    path = tmp_path / "pool.parquet"
    column, message = case
    pq.write_table(pa.table({**TEXT, "t": column}), path)
    for mode in ("error", "drop"):
        with pytest.raises(InputError) as caught:
            read(path, mode)
        assert str(caught.value).startswith(f"{path}, {message}")
        assert "\n" not in str(caught.value)


def test_the_row_is_named_in_a_later_batch(tmp_path: Path) -> None:
    path = tmp_path / "pool.parquet"
    times = pa.array([0] * 1500 + [9 * 10**18], pa.int64()).cast(pa.timestamp("us"))
    text = {name: [f"{values[0]}{i}" for i in range(1501)] for name, values in TEXT.items()}
    pq.write_table(pa.table({**text, "t": times}), path)
    with pytest.raises(InputError, match="row 1501: column 't'"):
        read(path)


def test_two_columns_of_one_name_are_named(tmp_path: Path) -> None:
    path = tmp_path / "pool.parquet"
    columns = [*TEXT.values(), TEXT["output"]]
    table = pa.Table.from_arrays(list(map(pa.array, columns)), ["instruction", "output", "output"])
    pq.write_table(table, path)
    with pytest.raises(InputError) as caught:
        read(path)
    rule = "two columns are called 'output'; rename one, or leave it out"
    assert str(caught.value) == f"{path}: {rule}"


def test_a_column_whose_name_is_damaged_is_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "pool.parquet"
    pq.write_table(pa.table(TEXT), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"output", b"outpu\xff"))
    with pytest.raises(InputError, match="damaged or cut-off Parquet"):
        read(path)


def test_a_map_is_read_and_counted_row_by_row(tmp_path: Path) -> None:
    path = tmp_path / "pool.parquet"
    maps = pa.array([[("k", "z" * MB)], None, [("k", "v")]], pa.map_(pa.string(), pa.string()))
    pq.write_table(pa.table({**TEXT, "m": maps}), path)
    first, *others = read_file(path, "pool", Limits(row_mb=1))
    assert isinstance(first.value, BadRowError)
    row = {"instruction": "Say hi.", "output": "Hi."}
    assert [other.value for other in others] == [{**row, "m": m} for m in (None, [("k", "v")])]
    with pytest.raises(InputError, match="MB unpacked, over 1; raise"):
        list(read_file(path, "pool", Limits(file_mb=1)))


MB = 10**6
SMALL = Limits(file_mb=3, row_mb=1, rows=100)
ROW_MB = (
    "a row over the size limit (over 1 MB); raise prepare.limits.row_mb, or set on_bad_row: drop"
)


def dictionary(count: int, size: int) -> pa.DictionaryArray:
    """One text, stored once, so many times."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), ["z" * size])


def nested(count: int) -> pa.Table:
    """A row with a list of so many nulls, which takes no room."""
    items = pa.ListArray.from_arrays([0, count], pa.nulls(count, pa.int8()))
    return pa.table({"instruction": ["a"], "output": ["b"], "x": items})


def deep(levels: int) -> pa.Table:
    kind = pa.int8()
    for _ in range(levels):
        kind = pa.list_(kind)
    return pa.table({"instruction": ["a"], "output": ["b"], "x": pa.array([None], kind)})


TABLES = {
    # 100,000 texts of 100 kB: 10 GB of a file of 5 kB, at the usual bound.
    "one text many times": (
        lambda: pa.table({"instruction": dictionary(100_000, 10**5)}),
        Limits(),
        ": 10,000 MB unpacked, over 1,000; raise prepare.limits.file_mb, or give a smaller file",
    ),
    "rows of nothing": (
        lambda: pa.table({"instruction": pa.nulls(3 * MB)}),
        Limits(),
        ": 3,000,000 rows, over 2,000,000; raise prepare.limits.rows, or give a smaller file",
    ),
    "a list of nothing": (
        lambda: nested(MB),
        SMALL,
        ": 12 MB unpacked, over 3; raise prepare.limits.file_mb, or give a smaller file",
    ),
    "a long text": (
        lambda: pa.table({"instruction": ["a"] * 2, "output": ["b", "z" * (MB + 1)]}),
        SMALL,
        f", row 2: {ROW_MB}",
    ),
    "deep": (lambda: deep(500), Limits(), ": a column is nested too deeply; leave it out"),
}


@pytest.mark.parametrize("case", TABLES.values(), ids=TABLES.keys())
def test_a_parquet_file_that_swells_ends_at_a_bound(tmp_path: Path, case: Any) -> None:  # noqa: ANN401
    make, limits, message = case
    path = tmp_path / "p.parquet"
    pq.write_table(make(), path, store_schema=False)
    assert path.stat().st_size < 200_000
    begin = time.monotonic()
    with pytest.raises(InputError) as caught:
        read(path, limits=limits)
    assert str(caught.value) == f"{path}{message}"
    assert time.monotonic() - begin < 10


def test_a_long_row_of_parquet_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    texts = ["b", "z" * (MB + 1), "c"]
    pq.write_table(pa.table({"instruction": ["a"] * 3, "output": texts}), path)
    result = read(path, "drop", limits=SMALL)
    assert [i.response for i in result.kept] == ["b", "c"]
    assert result.dropped == {"a row over the size limit": 1}
