"""Reads a Parquet file into numbered rows, within the limits.

A repeated value is stored once, so a small file can expand to more text than fits in memory. Texts
are therefore read as dictionaries of the distinct ones, and their size is computed before they are
expanded.
"""

import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.common.errors import InputError
from harness.params.limits import MB, Limits
from harness.pools.raw_rows import NO_ROWS, UTF8_HINT, BadRowError, RawRow

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

# What Arrow raises for a value that Python cannot represent: a far date, an unknown time zone.
UNREADABLE = (ValueError, OverflowError, LookupError)
TEXT = "BYTE_ARRAY"
WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 12, TEXT: 4}
LEVELS = 8  # bytes of a value's definition and repetition levels, while it is read
DEEPEST = 200  # levels of nesting in a column
BATCH = 1000


def parquet_rows(source: Path | io.BytesIO, name: str, limits: Limits) -> Iterator[RawRow]:
    """The rows of a file; InputError, with ``name``, where it is damaged or too large."""
    table = read_table(source, name, limits)
    if not table.num_rows:
        raise InputError(f"{name}: {NO_ROWS}")
    most = limits.row_mb * MB
    number = 0
    for batch in table.to_batches(max_chunksize=BATCH):
        whole = sum(map(decoded_bytes, batch.columns))
        parts = [batch] if whole <= most else [batch.slice(i, 1) for i in range(batch.num_rows)]
        for part in parts:
            if part.num_rows == 1 and sum(map(decoded_bytes, part.columns)) > most:
                number += 1
                yield RawRow(number, BadRowError.too_large(limits.row_mb))
                continue
            try:
                values = part.to_pylist()
            except UNREADABLE:
                raise _unreadable(part, number, name) from None
            for value in values:
                number += 1
                yield RawRow(number, value)


def read_table(source: Path | io.BytesIO, name: str, limits: Limits) -> "pa.Table":
    """A file's table, texts as dictionaries; InputError as for `parquet_rows`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(source)
        twice = [column for column, n in Counter(file.schema_arrow.names).items() if n > 1]
        if twice:
            rule = f"two columns are called {twice[0]!r}"
            raise InputError(f"{name}: {rule}; rename one, or leave it out")
        limits.check("rows", file.metadata.num_rows, name)
        limits.check("file_mb", _stored_bytes(file) / MB, name)
        columns = [file.schema.column(i) for i in range(len(file.schema))]
        if any(column.path.count(".") > DEEPEST for column in columns):
            raise InputError(f"{name}: a column is nested too deeply; leave it out")
        texts = [column.path for column in columns if column.physical_type == TEXT]
        table = pq.ParquetFile(source, read_dictionary=texts).read()
        limits.check("file_mb", table_bytes(table) / MB, name)
    except MemoryError:
        raise InputError(f"{name}: does not fit in memory; give a smaller file") from None
    except pa.ArrowNotImplementedError:
        raise InputError(f"{name}: a column of an unsupported type; save it as JSONL") from None
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        raise InputError(f"{name}: damaged or cut-off Parquet; copy or download it again") from None
    return table


def table_bytes(table: "pa.Table") -> int:
    """The size of a table with every text written out."""
    return sum(decoded_bytes(chunk) for column in table.columns for chunk in column.chunks)


def _stored_bytes(file: "pq.ParquetFile") -> int:
    """The least that the columns take once read, according to the file's own metadata."""
    total = 0
    for group in range(file.metadata.num_row_groups):
        part = file.metadata.row_group(group)
        for i in range(part.num_columns):
            chunk, column = part.column(i), file.schema.column(i)
            width = WIDTHS.get(column.physical_type) or column.length
            total += max(chunk.total_uncompressed_size, chunk.num_values * (width + LEVELS))
    return total


def decoded_bytes(array: "pa.Array") -> int:
    """The size of an array with every text written out."""
    import pyarrow as pa
    import pyarrow.compute

    values: Any = array
    compute: Any = pyarrow.compute  # its functions are defined on import
    if isinstance(values, pa.ExtensionArray):
        return decoded_bytes(values.storage)
    if pa.types.is_dictionary(values.type):
        lengths = compute.binary_length(values.dictionary)
        return 4 * len(values) + (compute.sum(lengths.take(values.indices)).as_py() or 0)
    if pa.types.is_struct(values.type):
        return sum(decoded_bytes(field) for field in values.flatten())
    if pa.types.is_map(values.type):  # has no flatten, and its keys are those of all rows
        first, last = values.offsets[0].as_py(), values.offsets[-1].as_py()
        parts = (values.keys, values.items)
        parts = [part.slice(first, last - first) for part in parts]
        return 4 * len(values) + sum(map(decoded_bytes, parts))
    if pa.types.is_nested(values.type):
        return 4 * len(values) + decoded_bytes(values.flatten())
    return values.nbytes


def _unreadable(batch: "pa.RecordBatch", before: int, name: str) -> InputError:
    """The error for a batch with a value that cannot be read: it names the row and column."""
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
