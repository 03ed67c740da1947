"""Scores of the user's own: joined by id or by place, and one line for what does not fit."""

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.common.errors import InputError
from harness.common.files import file_hash
from harness.params.params import ScorerParams
from harness.scorers import SCORERS
from harness.scorers.score_pool import make_scores
from tests.helpers.scored_rows import POOL, with_columns

VALUES = [0.5, -2.0, 3.0, 1e-9, 7.0]
ROWS = [{"id": name, "quality": value} for name, value in zip("abcde", VALUES, strict=True)]


def score(path: Path, column: str = "quality") -> list[float]:
    result = SCORERS["column"](POOL, None, file=str(path), column=column)
    assert result.dtype == np.float64
    return result.tolist()


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        pd.DataFrame(rows).to_parquet(path)
        return path
    if name.endswith(".csv"):
        text = pd.DataFrame(rows).to_csv(index=False)
    elif name.endswith(".json"):
        text = json.dumps(rows)
    else:
        text = "".join(json.dumps(row) + "\n" for row in rows)
    data = text.encode("utf-8-sig" if name.endswith(".csv") else "utf-8")
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


KINDS = ["s.csv", "s.parquet", "s.jsonl", "s.json", "s.jsonl.gz", "s.csv.gz"]


@pytest.mark.parametrize("name", KINDS)
def test_scores_are_joined_by_id(name: str, tmp_path: Path) -> None:
    more = [{"id": "held out", "quality": 9.0}, *reversed(ROWS)]
    assert score(write(tmp_path / name, more)) == VALUES


@pytest.mark.parametrize("name", KINDS)
def test_without_ids_they_are_joined_by_place(name: str, tmp_path: Path) -> None:
    bare = [{"other": "text", "quality": row["quality"]} for row in ROWS]
    assert score(write(tmp_path / name, bare)) == VALUES
    rule = f"{name}: 4 rows without `id`, the pool has 5; give as many, in its order, or add"
    with pytest.raises(InputError, match=rule):
        score(write(tmp_path / name, bare[1:]))


def test_ids_that_are_numbers_are_those_of_the_pool(tmp_path: Path) -> None:
    pool = with_columns(POOL, id=["1", "2", "3", "4", "5"])
    for name in KINDS[:4]:
        rows: list[dict[str, object]] = [{"id": i + 1, "q": v} for i, v in enumerate(VALUES)]
        path = write(tmp_path / name, rows)
        result = SCORERS["column"](pool, None, file=str(path), column="q")
        assert result.tolist() == VALUES


@pytest.mark.parametrize("name", KINDS)
def test_ids_from_0_for_a_pool_of_line_numbers_are_refused(name: str, tmp_path: Path) -> None:
    """The pool's last row is held out: each of its rows would get the score of the one before."""
    pool = with_columns(POOL, id=["1", "2", "3", "4", "5"])
    rows: list[dict[str, object]] = [{"id": i, "q": float(i)} for i in range(6)]
    path = write(tmp_path / name, rows)
    rule = r"row [12]: id 0, but the pool has no ids of its own and its rows count from 1; add 1 to"
    with pytest.raises(InputError, match=rule):
        SCORERS["column"](pool, None, file=str(path), column="q")
    own = with_columns(pool, id=["0", "1", "2", "3", "4"])  # ids that the pool brought itself
    assert SCORERS["column"](own, None, file=str(path), column="q").tolist() == [0, 1, 2, 3, 4]
    other = with_columns(pool, row=[7, 8, 9, 10, 11])
    assert SCORERS["column"](other, None, file=str(path), column="q").tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("score_of_it", [None, "to do", float("nan")])
def test_a_row_that_is_not_in_the_pool_does_no_harm(
    name: str, score_of_it: object, tmp_path: Path
) -> None:
    text = isinstance(score_of_it, str) and name.endswith("parquet")  # one type a column
    rows = [{"id": "held out", "quality": score_of_it}, *ROWS]
    rows = [{**row, "quality": str(row["quality"])} if text else row for row in rows]
    assert score(write(tmp_path / name, rows)) == VALUES


@pytest.mark.parametrize("name", ["s.csv", "s.csv.gz"])
def test_a_cell_may_be_of_any_length(name: str, tmp_path: Path) -> None:
    limit = csv.field_size_limit()
    long = [{**row, "response": 'é, "x"\n' * 100_000} for row in ROWS]
    assert score(write(tmp_path / name, long)) == VALUES
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("called", ["ID", " id"])
def test_ids_are_not_passed_over_for_how_the_column_is_written(
    name: str, called: str, tmp_path: Path
) -> None:
    """Joined by place, each row would get another's score."""
    rows = [{called: row["id"], "quality": row["quality"]} for row in reversed(ROWS)]
    rule = f"row [12]: column {called!r} is not read as the ids; call it 'id', or leave it out"
    with pytest.raises(InputError, match=rule):
        score(write(tmp_path / name, rows))


def test_ids_are_not_passed_over_where_the_first_row_has_none(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", [{"quality": 1.0}, *ROWS[:0:-1]])
    with pytest.raises(InputError, match="row 2: an id, but the rows before have none; give"):
        score(path)


def test_a_file_that_was_edited_since_its_hash_was_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", ROWS)
    knobs = {"file": str(path), "column": "quality", "file_sha256": file_hash(path)}
    assert SCORERS["column"](POOL, None, **knobs).tolist() == VALUES
    write(path, [{**row, "quality": 1.0} for row in ROWS])
    with pytest.raises(InputError, match="not the file that file_sha256 names; make repro takes"):
        SCORERS["column"](POOL, None, **knobs)


def spoilt(**changes: object) -> list[dict[str, object]]:
    return [*ROWS[:2], {**ROWS[2], **changes}, *ROWS[3:]]


BAD = {
    "text": (
        spoilt(quality="good"),
        "row 3: quality is 'good', not a number; give a finite number",
    ),
    "null": (spoilt(quality=None), "row 3: quality is None, not a number"),
    "yes": (spoilt(quality=True), "row 3: quality is True, not a number"),
    "list": (spoilt(quality=[1.0]), r"row 3: quality is \[1\.0\], not a number"),
    "nan": (spoilt(quality=float("nan")), "row 3: quality is nan; give a finite number"),
    "inf": (spoilt(quality=float("inf")), "row 3: quality is inf; give a finite number"),
    "huge": (spoilt(quality=10**400), "row 3: quality is 1000.*, not a number"),
    "twice": (spoilt(id="a"), "row 3: id 'a' is given twice; keep one row"),
    "no id": (spoilt(id=None), "row 3: no id; give every row one, or none"),
    "gone": (spoilt(id="x"), r"s\.jsonl: no row with the id 'c' of the pool; add its score"),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_a_bad_row_is_named(case: tuple[list[dict[str, object]], str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=case[1]) as error:
        score(write(tmp_path / "s.jsonl", case[0]))
    assert str(error.value).startswith(str(tmp_path / "s.jsonl"))
    assert "\n" not in str(error.value)


def test_an_unknown_column_is_reported_with_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", ROWS)
    with pytest.raises(InputError, match="row 2: no column 'qualty'; did you mean 'quality'"):
        score(path, "qualty")


FILES = {
    "missing": ("s.csv", None, r"s\.csv: no such file; give a CSV, JSON"),
    "empty": ("s.csv", b"", r"s\.csv: empty, no rows"),
    "header only": ("s.csv", b"id,quality\n", r"s\.csv: empty, no rows"),
    "short": ("s.csv", b"id,quality\na,1\nb\n", r"s\.csv, row 3: 2 fields in the header"),
    "long": ("s.csv", b"id,quality\na,1,2\n", r"s\.csv, row 2: 2 fields in the header"),
    "latin": ("s.csv", b"id,quality\na,1\n\xe9,2\n", r"s\.csv, row \d: not UTF-8"),
    "quote": ("s.csv", b'id,quality\na,"1"x\n', r"s\.csv, row 2: not CSV"),
    "zipped, cut": ("s.csv.gz", gzip.compress(b"id,quality\na,1\nb,2\n")[:-9], "gzip file is cut"),
    "zipped, damaged": ("s.csv.gz", b"\x1f\x8b" + b"x" * 30, "the gzip file is damaged"),
    "blank": ("s.jsonl", b"\n", r"s\.jsonl: empty, no rows"),
    "not json": ("s.jsonl", b'{"id": "a", "quality": 1}\n{"id"\n', r"s\.jsonl, row 2: not JSON"),
    "number": ("s.jsonl", b"3\n", r"s\.jsonl, row 1: the row is a number, not an object"),
    "parquet": ("s.parquet", b"PAR1 and no more", r"s\.parquet: damaged or cut-off"),
}


@pytest.mark.parametrize("case", FILES.values(), ids=FILES.keys())
def test_a_bad_file_is_one_line(case: tuple[str, bytes | None, str], tmp_path: Path) -> None:
    name, data, rule = case
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=rule) as error:
        score(tmp_path / name)
    assert "\n" not in str(error.value)


def test_a_scorer_called_id_would_replace_the_ids() -> None:
    with pytest.raises(InputError, match=r"scorers\.id: the column of ids is called so; give"):
        make_scores(POOL, {"id": ScorerParams(scorer="length")})
