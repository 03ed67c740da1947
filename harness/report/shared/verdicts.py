"""What a table's differences say, in sentences made from its numbers, and what they rest on."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

from harness.report.shared.pages import plain_notes
from harness.report.shared.runs import Row
from harness.report.shared.study_table import (
    BETTER,
    MARK,
    SIMILAR,
    UNDECIDED,
    WORSE,
    Line,
    marked,
    unit_of,
)
from harness.report.shared.tables import number, with_interval
from harness.statistics.differences import ALPHA, RowTable
from harness.suites import Column


def verdict_notes(
    lines: Sequence[Line],
    baselines: Mapping[str, str],
    head: str,
    digits: int,
    preset: str,
    worlds: int = 0,
) -> list[str]:
    """A paragraph a baseline: which rows are better, worse, not found to differ, not decided.

    Args:
        lines: of the table, or of its CSV: ``verdict``, ``diff`` and the interval of each.
        baselines: the suffix of each one's columns in the lines.
        head: the headline's label.
        digits: its decimals.
        preset: it says what the sentences are about.
        worlds: over how many the differences are means; 0 where all is of one.
    """
    families: dict[str, dict[str, list[str]]] = {}
    for baseline, suffix in baselines.items():
        groups: dict[str, list[str]] = defaultdict(list)
        for line in lines:
            groups[line[f"verdict{suffix}"]].append(_said(line, digits, suffix))
        if any(groups.keys() - {""}):
            families[baseline] = groups
    return plain_notes(
        "shared/verdicts.txt.jinja",
        families=families,
        head=head,
        unit=unit_of(digits),
        lab=preset == "lab",
        worlds=worlds,
    )


def untrained_notes(
    rows: Sequence[Row], table: RowTable, baseline: str, head: Column, digits: int
) -> list[str]:
    """Whether training on a baseline's rows helps: a sentence, where the base model is a row.

    By a test of this pair alone, the interval its own; undecided where there are too few seeds.
    """
    ours = next((row for row in rows if row.name == baseline and row.trained), None)
    for row in rows:
        compared = {row.name, baseline} <= table.rows.keys() and not row.trained
        if ours and compared and row.cells[0].base == ours.cells[0].base:
            gap = table.at(table.rows[baseline].budget).difference(baseline, row.name)
            least, most = sorted((abs(gap.low), abs(gap.high)))
            clear = BETTER if table.sign * gap.value > 0 else WORSE
            return plain_notes(
                "shared/untrained.txt.jinja",
                name=row.name,
                baseline=baseline,
                head=head.label,
                unit=unit_of(digits),
                verdict=UNDECIDED if isnan(gap.p) else clear if gap.p < ALPHA else SIMILAR,
                by=with_interval(abs(gap.value), least, most, digits),
                most=number(most, digits),
            )
    return []


def _said(line: Line, digits: int, suffix: str) -> str:
    name, what = str(line.get("row", line["selection"])), line[f"verdict{suffix}"]
    if what == UNDECIDED:
        return name
    if what == SIMILAR:
        most = max(abs(line[f"diff_{end}{suffix}"]) for end in ("low", "high"))
        return f"{name} (no more than {number(most, digits)})"
    text = number(line[f"diff{suffix}"], digits, sign=True)
    return f"{name} ({text}{f' {MARK}' if marked(line, suffix) else ''})"


def judging_notes(
    table: RowTable | None,
    rows: Sequence[Row],
    lines: Sequence[Line],
    baselines: Mapping[str, str],
    digits: int,
    *,
    elsewhere: Sequence[str] = (),
    outliers: Sequence[str] = (),
) -> list[str]:
    """What the differences of a table rest on: seed deviations, errors of items, power.

    ``table`` is None where rows of several budgets are compared, each at its own, with those of
    ``outliers`` judged by a variance of their own; ``elsewhere`` are the rows that the main table
    tests. Plain text; empty where baselines are named and nothing is compared with them.
    """
    compared = {
        name: [line for line in lines if line[f"diff{suffix}"] == line[f"diff{suffix}"]]
        for name, suffix in baselines.items()
    }
    if baselines and not any(compared.values()):
        return []
    return plain_notes(
        "shared/judging.txt.jinja",
        strata=_strata(table, digits) if table else None,
        outliers=sorted(table.outliers) if table else outliers,
        power=[
            {"baseline": name, **_ranges(compared[name], digits, suffix)}
            for name, suffix in baselines.items()
            if any(line[f"critical{suffix}"] == line[f"critical{suffix}"] for line in lines)
        ],
        mark=MARK if any(marked(x, s) for n, s in baselines.items() for x in compared[n]) else "",
        twins=_twins(rows),
        elsewhere=elsewhere,
        others=_others(table, lines, baselines) if table and baselines else [],
        unit=unit_of(digits),
    )


def _others(table: RowTable, lines: Sequence[Line], baselines: Mapping[str, str]) -> list[str]:
    """Trained rows of another budget or base model that are compared with none of their own."""
    tested = {
        str(line.get("row", line["selection"]))
        for line in lines
        if any(line[f"p{suffix}"] == line[f"p{suffix}"] for suffix in baselines.values())
    }
    others = {name for name, row in table.rows.items() if row.budget != table.budget}
    return [n for n, row in table.rows.items() if row.trained and n in others - tested]


def _strata(table: RowTable, digits: int) -> list[dict[str, Any]]:
    strata = {one.source: one for one in table.strata.values() if one.df}
    return [
        {"source": source, "sd": number(one.value**0.5, digits + 1), "df": number(one.df, 0)}
        for source, one in strata.items()
    ]


def _ranges(lines: Sequence[Line], digits: int, suffix: str) -> dict[str, str]:
    """Lowest and highest over the tested rows."""
    tested = [line for line in lines if line[f"critical{suffix}"] == line[f"critical{suffix}"]]
    places = {"item_se": digits + 1, "critical": 2, "detectable": digits}
    ranges = {}
    for name, decimals in places.items():
        values = [line[f"{name}{suffix}"] for line in tested]
        ends = dict.fromkeys(number(end(values), decimals) for end in (min, max))
        ranges[name] = " to ".join(ends)
    return ranges


def _twins(rows: Sequence[Row]) -> list[list[str]]:
    """Names of rows that trained the same models."""
    same: dict[Any, list[str]] = defaultdict(list)
    for row in rows:
        same[row.cells[0].base, row.runs].append(row.name)
    return [names for names in same.values() if len(names) > 1]
