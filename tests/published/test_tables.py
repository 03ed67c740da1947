"""The published tables are those of the paper, and name rows that there can be."""

from pathlib import Path

import pandas as pd
import pytest

from harness.common.errors import InputError
from harness.common.stores import shared_data
from harness.common.yaml_files import read_yaml
from harness.params.params import load_params
from harness.published.tables import COLUMNS, HERE, published_tables, read_table

ROOT = Path(__file__).resolve().parents[2]
TABLES = sorted(path.stem for path in HERE.glob("*.csv"))


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_the_printed_one(name: str) -> None:
    try:
        printed = shared_data().parent / "paper" / "tables"
    except InputError:
        pytest.skip("the shared folder is not here")
    result = sorted(printed.glob(f"{name}_*.csv"))
    if not result:
        pytest.skip("the paper's tables are not here")
    assert (HERE / f"{name}.csv").read_bytes() == result[0].read_bytes()


@pytest.mark.parametrize("name", TABLES)
def test_every_row_that_is_mirrored_is_printed(name: str) -> None:
    entry = read_yaml(HERE / "tables.yaml")[name]
    assert len(read_table(name).frame) == len(entry["rows"])
    assert set(COLUMNS) <= set(read_table(name).frame.columns)


def test_averages_are_those_of_the_cells_but_where_a_note_says_so() -> None:
    for name in TABLES:
        table = read_table(name)
        cells = table.frame[[column for column in COLUMNS if column != "avg"]]
        off = (cells.mean(axis=1) - table.frame["avg"]).abs() > 0.06
        noted = " ".join(table.notes)
        for printed in table.frame.loc[off, "avg"]:
            assert f"{printed}" in noted, f"{name} prints {printed}"


@pytest.mark.parametrize(
    ("study", "tables"),
    [
        ("main", {"Table 2": 8, "Table 6": 8}),
        ("clusters", {"Table 5": 5}),
        ("scorers", {"Table 7": 6}),
        ("transfer", {"Table 3": 6}),
        ("sensitivity", {}),
    ],
)
def test_the_lab_has_the_tables_that_its_studies_mirror(study: str, tables: dict[str, int]) -> None:
    params = load_params(ROOT / "params.yaml")
    rows = [cell.name for cell in params.cells(study)]
    assert {one.title: len(one.frame) for one in published_tables("lab", study, rows)} == tables


def test_one_row_is_no_table() -> None:
    assert published_tables("lab", "main", ["random"]) == []
    assert published_tables("own", "main", ["random", "kmq"]) == []


def test_the_first_row_that_is_there_stands_for_a_printed_one() -> None:
    frame = read_table("table3", ["random_mistral", "kmq_mistral"]).frame
    assert frame.index.tolist() == ["random_mistral", "kmq_mistral"]
    assert frame["avg"].tolist() == [52.3, 54.5]
    assert frame["printed"].tolist() == ["mistral-7b random", "mistral-7b kmq"]
    assert isinstance(frame, pd.DataFrame)
