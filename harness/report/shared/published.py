"""The paper's numbers beside ours, and its claims, as tables of a report."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.params.params import Params
from harness.published.claims import Claim
from harness.published.tables import COLUMNS, SOURCE, published_tables
from harness.report.shared.study_table import Line, digits_of, unit_of
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
            cells = [row, str(printed["printed"])]
            for name, column in ours.items():
                cells += [number(printed[name], 1)]
                if column:
                    digits = digits_of(suite, suite.column(column))
                    cells += [number(by_name[row][column], digits)]
            rows.append(cells)
        heads = ["selection", "printed as"]
        for name, column in ours.items():
            label = COLUMNS[name][0]
            heads += [f"{label}, published"]
            heads += [f"{suite.column(column).label}, here"] if column else []
        made.append(Beside(f"{one.title} of {SOURCE}", one.of, TextTable(heads, rows), one.notes))
    return made


def _column(suite: Suite, names: Sequence[str]) -> str | None:
    known = {column.name for column in suite.columns}
    return next((name for name in names if name in known), None)


def claim_texts(claims: Sequence[Claim], digits: int) -> list[dict[str, str]]:
    """Each claim as a report shows it; ``digits`` are those of the headline."""
    made = []
    for one in claims:
        if one.correlation:
            published = number(one.published, 2, sign=True)
            here = with_interval(one.value, one.low, one.high, 2, sign=True)
        else:
            published = f"{number(one.published, 1, sign=True)} points"
            measured = with_interval(one.value, one.low, one.high, digits, sign=True)
            here = f"{measured} {unit_of(digits)}"
        texts = {"says": one.says, "where": one.where, "pair": one.pair}
        texts["published"] = published if one.published == one.published else BLANK
        texts["here"] = here if one.value == one.value else BLANK
        made.append({**texts, "p": p_text(one.p), "verdict": one.verdict})
    return made


def claim_table(claims: Sequence[Claim], digits: int) -> TextTable | None:
    """What the paper claims, what it printed, what is here; None without a claim."""
    if not claims:
        return None
    heads = {
        "says": "claim",
        "pair": "as",
        "published": "published",
        "here": "here [95%]",
        "p": "p",
        "verdict": "verdict",
    }
    rows = [[texts[name] for name in heads] for texts in claim_texts(claims, digits)]
    return TextTable(list(heads.values()), rows)


def claim_files(claims: Sequence[Claim]) -> dict[str, str]:
    """``claims.csv``, a line a claim; nothing without one."""
    import pandas as pd

    names = ("name", "says", "where", "pair", "published", "value", "low", "high", "p", "verdict")
    records = [{name: getattr(one, name) for name in names} for one in claims]
    return {"claims.csv": csv_text(pd.DataFrame(records).round(6))} if claims else {}
