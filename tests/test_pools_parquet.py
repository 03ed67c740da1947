"""A Parquet file with a column that cannot be read is refused in one line that names the column."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.errors import InputError
from tests.pool_files import read

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
    column, told = case
    pq.write_table(pa.table({**TEXT, "t": column}), path)
    for mode in ("error", "drop"):
        with pytest.raises(InputError) as caught:
            read(path, mode)
        assert str(caught.value).startswith(f"{path}, {told}")
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
