"""A small file that unpacks to more than fits in memory is refused in one line, at a limit."""

import bz2
import gzip
import io
import json
import lzma
import resource
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.common.errors import InputError
from harness.common.schemas import PoolRows
from harness.params.limits import Limits
from harness.params.prepare import PrepareParams
from harness.pools.prepare import prepare_section
from harness.pools.raw_rows import OR_DROP
from harness.scorers.user_column import column
from harness.suites.items import ItemSource
from tests.helpers.pool_files import ROW, lines, read
from tests.helpers.select_files import pool as select_pool
from tests.helpers.select_files import refused
from tests.helpers.small_repo import ROOT, environment

GOOD = lines(ROW)
MB = 10**6
SMALL = Limits(file_mb=3, row_mb=1, rows=100)
LONG_ROW = json.dumps({**ROW, "more": "x" * (MB + 1)}).encode() + b"\n"
FILE = "over 3 MB unpacked; raise prepare.limits.file_mb, or give a smaller file"
ROWS = "over 100 rows; raise prepare.limits.rows, or give a smaller file"
ROW_MB = (
    "a row over the size limit (over 1 MB); raise prepare.limits.row_mb, or set on_bad_row: drop"
)
SPACES = b" " * 4 * MB

# The file's name and bytes, and what the line says after the name: as bad rows stop, as they drop.
TEXTS: dict[str, tuple[str, bytes, str, str]] = {
    "a long line": ("p.jsonl", GOOD + SPACES, f", row 2: {ROW_MB}", f": {FILE}"),
    "long lines": ("p.jsonl", GOOD + LONG_ROW * 3, f", row 2: {ROW_MB}", f": {FILE}"),
    "blank lines": ("p.jsonl", GOOD + b"\n" * 101, f": {ROWS}", f": {ROWS}"),
    "blank lines alone": ("p.jsonl", b"\r\n" * 2 * MB, f": {FILE}", f": {FILE}"),
    "lines": ("p.jsonl", GOOD * 101, f": {ROWS}", f": {ROWS}"),
    "a list": ("p.json", b"[" + b",".join([GOOD] * 101) + b"]", f": {ROWS}", f": {ROWS}"),
    "a long element": (
        "p.json",
        b"[" + GOOD + b',{"a": "' + SPACES,
        f", row 2: {ROW_MB.removesuffix(OR_DROP)}",
        f", row 2: {ROW_MB.removesuffix(OR_DROP)}",
    ),
    "space within a list": ("p.json", b"[" + SPACES + b"]", f": {FILE}", f": {FILE}"),
    "line breaks within a list": ("p.json", b"[" + b"\n" * 4 * MB, f": {FILE}", f": {FILE}"),
    "an open list": (
        "p.json",
        b"[" * 200_000,
        ", row 1: nested too deeply; fix the file, or copy it again",
        ", row 1: nested too deeply; fix the file, or copy it again",
    ),
}


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("case", TEXTS.values(), ids=TEXTS.keys())
def test_text_ends_at_a_bound(
    tmp_path: Path, case: tuple[str, bytes, str, str], zipped: bool
) -> None:
    name, data, *messages = case
    path = tmp_path / (f"{name}.gz" if zipped else name)
    path.write_bytes(gzip.compress(data, 1) if zipped else data)
    for mode, line in zip(("error", "drop"), messages, strict=True):
        with pytest.raises(InputError) as caught:
            read(path, mode, limits=SMALL)
        # A plain file over the bound is refused by its size, before a line of it is read.
        want = f": {FILE}" if not zipped and len(data) > 3 * MB else line
        assert str(caught.value) == f"{path}{want}"


@pytest.mark.parametrize("name", ["p.jsonl", "p.json"])
def test_a_raised_bound_reads_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    row = LONG_ROW.strip()
    rows = [row] * 4 + [GOOD.strip()] * 100
    path.write_bytes(b"\n".join(rows) if name.endswith("l") else b"[" + b",".join(rows) + b"]")
    with pytest.raises(InputError):
        read(path, limits=SMALL)
    assert len(read(path, limits=Limits(file_mb=5, row_mb=2, rows=104)).kept) == 104


@pytest.mark.parametrize("name", ["p.jsonl", "p.json"])
def test_a_row_over_the_bound_is_dropped_and_the_next_is_read(tmp_path: Path, name: str) -> None:
    path, rows = tmp_path / name, [GOOD, LONG_ROW, GOOD]
    path.write_bytes(b"".join(rows) if name.endswith("l") else b"[" + b",".join(rows) + b"]")
    result = read(path, "drop", limits=SMALL)
    assert (result.dropped, [i.row for i in result.kept]) == (
        {"a row over the size limit": 1},
        [1, 3],
    )


POOL = PoolRows(pd.DataFrame({"id": ["1"], "row": [1]}))


@pytest.mark.parametrize("name", ["s.csv", "s.csv.gz", "s.jsonl", "s.jsonl.gz", "s.parquet"])
def test_a_score_file_has_the_same_bounds(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "s.parquet":
        pq.write_table(pa.table({"q": [1.0] * 101}), path)
    else:
        data = b"q\n" + b"1\n" * 100 if ".csv" in name else b'{"q": 1}\n' * 101
        path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    rule = "101 rows, over 100" if name == "s.parquet" else "over 100 rows"
    with pytest.raises(InputError) as caught:
        column(POOL, file=str(path), column="q", rows=100)
    message = f"{path}: {rule}; raise the scorer's rows, or give a smaller file"
    assert str(caught.value) == message
    with pytest.raises(InputError, match=r"10[01] rows without `id`"):
        column(POOL, file=str(path), column="q", rows=101)


def test_a_score_file_of_one_line_has_the_same_bounds(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_bytes(b"q" + SPACES)
    with pytest.raises(InputError) as caught:
        column(POOL, file=str(path), column="q", row_mb=1)
    message = "a row over the size limit (over 1 MB); raise the scorer's row_mb"
    assert str(caught.value) == f"{path}, row 1: {message}"
    path.write_bytes(b"id,q\r1,0.5\r")  # lines as a Mac once ended them
    assert column(POOL, file=str(path), column="q").tolist() == [0.5]


def test_a_benchmark_has_the_bounds_of_the_section(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_bytes(GOOD)
    (tmp_path / "b.jsonl").write_bytes(b'{"question": "a"}\n' * 3)
    section = {"source": str(tmp_path / "p.jsonl")}
    whole = PrepareParams.model_validate(section)
    bounded = PrepareParams.model_validate({**section, "limits": {"rows": 2}})
    items = ItemSource(path=str(tmp_path / "b.jsonl"))
    prepare_section(whole, data={"b": items})
    with pytest.raises(InputError, match=r"b\.jsonl: over 2 rows; raise prepare\.limits\.rows"):
        prepare_section(bounded, data={"b": items})
    prepare_section(bounded, data={"b": items.model_copy(update={"limits": Limits(rows=3)})})


def test_a_folder_has_the_bounds_of_one_file(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(GOOD * 3)
    assert len(read(folder, limits=SMALL).kept) == 3
    with pytest.raises(InputError, match=r"3 rows, over 2; raise prepare\.limits\.rows"):
        read(folder, limits=Limits(rows=2))
    for name in ("b", "c"):
        (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress(GOOD + SPACES[: 2 * MB]))
    with pytest.raises(InputError) as caught:
        read(folder, limits=SMALL)
    assert str(caught.value) == f"{folder}/c.jsonl.gz: {FILE}"
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 4, pa.int32()), ["z" * MB])
    pq.write_table(pa.table({"prompt": text}), folder / "a.parquet", store_schema=False)
    with pytest.raises(InputError, match=r"a\.parquet: 4 MB unpacked, over 3"):
        read(folder, limits=SMALL)


def zipped(data: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("b.jsonl", data)
    return stream.getvalue()


@pytest.mark.parametrize("packed", [bz2.compress, lzma.compress, zipped])
def test_a_folder_has_no_packed_files_but_gzip(
    tmp_path: Path, packed: Callable[[bytes], bytes]
) -> None:
    (tmp_path / "a.jsonl").write_bytes(GOOD)
    (tmp_path / "b.jsonl.x").write_bytes(packed(GOOD))
    with pytest.raises(InputError, match=r"/b\.jsonl\.x: .*; unpack it$"):
        read(tmp_path, limits=SMALL)


def test_the_command_has_the_same_bounds(tmp_path: Path) -> None:
    path, out = select_pool(tmp_path), tmp_path / "out.jsonl"
    line = refused(path, out, "random", "--limit", "rows=39")
    assert line == f"{path}: over 39 rows; raise --limit rows, or give a smaller file"
    assert refused(path, out, "random", "--limit", "row=3").startswith("--limit row: no such limit")
    assert "a whole number from 1" in refused(path, out, "random", "--limit", "rows=0")


@pytest.mark.parametrize("mode", ["error", "drop"])
def test_a_gzip_bomb_ends_within_seconds_in_little_memory(tmp_path: Path, mode: str) -> None:
    """2 MB that unpack to one line of 2.1 GB, read as a user would, with 1.5 GB of memory."""
    path = tmp_path / "bomb.jsonl.gz"
    blanks = gzip.compress(b" " * 50 * MB)  # parts of a gzip file follow each other
    path.write_bytes(gzip.compress(GOOD + b'{"instruction": "') + blanks * 42)
    assert path.stat().st_size < 2.2 * MB
    words = ["select", "--pool", path.name, "--sampler", "random", "--budget", "1"]
    memory = 1500 * MB
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "harness", *words, "--out", "o.jsonl", "--on-bad-row", mode],
        cwd=tmp_path,
        env={**environment(), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (memory, memory)),
        capture_output=True,
        text=True,
        check=False,
    )
    message = {
        "error": ", row 2: a row over the size limit (over 16 MB); raise --limit row_mb, or give"
        " --on-bad-row drop",
        "drop": ": over 1,000 MB unpacked; raise --limit file_mb, or give a smaller file",
    }
    assert done.stderr == f"error: {path.name}{message[mode]}\n"
    assert done.returncode == 1
    assert time.monotonic() - begin < 60
    assert list(tmp_path.iterdir()) == [path]
