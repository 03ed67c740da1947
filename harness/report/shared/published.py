"""The paper's numbers beside ours, and its claims, as tables of a report."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.params.params import Params
from harness.published.claims import Judged
from harness.published.tables import COLUMNS, SOURCE, published_tables
from harness.report.shared.study_table import Line, digits_of
from harness.report.shared.tables import BLANK, TextTable, csv_text, number, p_text, with_interval
from harness.suites import Suite


@dataclass(frozen=True)
class Beside:
    """A published table with what was measured here in the same cells."""

    title: str
    of: str
    table: TextTable
    notes: tuple[str, ...]


def beside_published(
    params: Params, study: str, suite: Suite, lines: Sequence[Line]
) -> list[Beside]:
    """The published tables that a study mirrors, each cell as printed and as measured.

    Columns are the paper's; a line has the column of the suite that is, or mirrors, each.
    """
    by_name = {str(line.get("row", line["selection"])): line for line in lines}
    made = []
    for one in published_tables(params.preset, study, by_name):
        ours = {name: _column(suite, names) for name, (_, names) in COLUMNS.items()}
        rows = []
        for printed in one.frame.reset_index().to_dict("records"):
            row = str(printed["selection"])
            cells = [row]
            for name, column in ours.items():
                cells += [number(printed[name], 1)]
                if column:
                    digits = digits_of(suite, suite.column(column))
                    cells += [number(by_name[row][column], digits)]
            rows.append(cells)
        heads = ["selection"]
        for name, column in ours.items():
            label = COLUMNS[name][0]
            heads += [f"{label}, published"]
            heads += [f"{suite.column(column).label}, here"] if column else []
        made.append(Beside(f"{one.title} of {SOURCE}", one.of, TextTable(heads, rows), one.notes))
    return made


def _column(suite: Suite, names: Sequence[str]) -> str | None:
    known = {column.name for column in suite.columns}
    return next((name for name in names if name in known), None)


def claim_table(claims: Sequence[Judged]) -> TextTable | None:
    """What the paper claims, what it printed, what is here; None without a claim."""
    if not claims:
        return None
    rows = [
        [
            one.says,
            one.pair,
            number(one.published, 2 if one.correlation else 1, sign=True),
            with_interval(one.value, one.low, one.high, 2, sign=True)
            if one.value == one.value
            else BLANK,
            p_text(one.p),
            one.verdict,
        ]
        for one in claims
    ]
    heads = ["claim", "as", "published", "here [95%]", "p", "verdict"]
    return TextTable(heads, rows)


def claim_records(claims: Sequence[Judged]) -> list[dict[str, str | float]]:
    """A record a claim, for the CSV and the page."""
    names = ("name", "says", "where", "pair", "published", "value", "low", "high", "p", "verdict")
    return [{name: getattr(one, name) for name in names} for one in claims]


def claim_files(claims: Sequence[Judged]) -> dict[str, str]:
    """``claims.csv``, a line a claim; nothing without one."""
    import pandas as pd

    frame = pd.DataFrame(claim_records(claims)).round(3)
    return {"claims.csv": csv_text(frame)} if claims else {}
