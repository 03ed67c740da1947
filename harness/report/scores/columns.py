"""What the page of scores says of each column of the suite: its metric, items, shots, chance."""

from math import isnan, sqrt
from typing import Any

from harness.report.scores.table import StudyTable
from harness.report.shared.study_table import digits_of
from harness.report.shared.tables import number

NORMAL_95 = 1.96
CLEARLY = 3.0  # standard errors: in a table of many cells, 2 would be passed by chance


def column_facts(table: StudyTable) -> list[dict[str, Any]]:
    """One entry a column: the column, the labels its mean is of, and what its runs state.

    ``n``, ``shots`` and ``truncated`` are those of the first run that states them, None without
    one; ``at_chance`` and ``below_chance`` are those of `against_chance`, ``judge`` of `judging`.
    """
    facts = []
    for column in table.suite.columns:
        stated = {name: _stated(table, name, column.name) for name in ("n", "shots", "truncated")}
        if stated["shots"] is None:
            stated["shots"] = column.shots
        of = [table.suite.column(name).label for name in column.of or []]
        facts.append({"column": column, "of": of, "at_chance": [], "below_chance": [], **stated})
        facts[-1]["judge"] = judging(table, column.name)
        if stated["n"] is not None:
            facts[-1] |= against_chance(table, column.name, stated["n"])
    return facts


def against_chance(table: StudyTable, name: str, n: int) -> dict[str, Any]:
    """Whether no row differs from guessing among n items, by the binomial error, or some are below.

    ``at_chance`` is the lowest and the highest score where no row differs, ``below_chance`` the
    rows clearly below chance with their scores.
    """
    column = table.suite.column(name)
    values = [line[name] for line in table.lines if not isnan(line[name])]
    if column.chance is None or not values:
        return {}
    p, digits = column.chance / 100, digits_of(table.suite, column)
    error = 100 * sqrt(p * (1 - p) / n)
    # Where chance is zero there is no such interval: two right answers show nothing yet.
    if max(abs(value - column.chance) for value in values) <= max(NORMAL_95 * error, 200 / n):
        return {"at_chance": [number(end(values), digits) for end in (min, max)]}
    below = [
        f"{line['selection']} ({number(line[name], digits)})"
        for line in table.lines
        if line[name] < column.chance - CLEARLY * error
    ]
    return {"below_chance": below}


def judging(table: StudyTable, name: str) -> dict[str, Any]:
    """What judging a column took in all runs: the judges, their answers, tokens and USD, if known.

    Empty where it was not judged.
    """
    each = [
        one.judged[name] for row in table.rows for one in row.metrics.values() if name in one.judged
    ]
    if not each:
        return {}
    usd = [one.usd for one in each if one.usd is not None]
    return {
        "models": sorted({one.model for one in each}),
        "answers": sum(one.answers for one in each),
        "tokens": sum(one.tokens_in + one.tokens_out for one in each),
        "usd": sum(usd) if len(usd) == len(each) else None,
    }


def _stated(table: StudyTable, field: str, column: str) -> Any:  # noqa: ANN401  (a JSON value)
    fields = (getattr(row.metrics[seed], field) for row in table.rows for seed in row.seeds)
    return next((values[column] for values in fields if column in values), None)
