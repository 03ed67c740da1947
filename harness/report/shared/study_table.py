"""What every table of scores has: its rows and suite, means, differences, p-values, bold winner."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common.errors import InputError
from harness.params.params import Params
from harness.report.shared.columns import column
from harness.report.shared.comparable import compare
from harness.report.shared.runs import Row, paired_items, row_items, study_rows
from harness.report.shared.statistics import (
    ALPHA,
    Interval,
    averages,
    deviation,
    difference,
)
from harness.report.shared.tables import TextTable, mean_sd, number, p_text, with_interval
from harness.statistics.differences import holm
from harness.suites import Column, Suite, load_suite

if TYPE_CHECKING:
    import pandas as pd

Line = dict[str, Any]  # numbers by column, NaN where there is none
# The bootstrap's own stream: a table made twice from the same cells is the same table.
BOOTSTRAP_SEED = 20409
NOT_RUN = "not run"  # in place of a score
AGREEMENT = 0.01  # metrics and the mean of their items may differ by rounding only


def read_study(params: Params, study: str) -> tuple[Suite, list[Row]]:
    """The suite over which a study's rows compare, and the rows in the order of the params.

    Raises InputError for a study without rows, a missing cell, and metrics that contradict their
    samples.
    """
    rows = study_rows(params, study)
    if not rows:
        raise InputError(f"params.yaml: no entry of `further` has study: {study}; add its rows")
    return checked(*compare(load_suite(params.evaluate.suite), rows))


def checked(suite: Suite, rows: list[Row]) -> tuple[Suite, list[Row]]:
    """Both as they are; InputError where a row's items do not average to its headline."""
    for row in rows:
        if row.has(suite.headline):
            stated = np.array(row.scores(suite.headline))
            from_items = averages(row_items(suite, row, row.seeds))
            if not np.allclose(stated, from_items, atol=AGREEMENT):
                raise InputError(
                    f"{row.name}: metrics.json gives {suite.headline} {stated.round(3).tolist()}, "
                    f"its samples {from_items.round(3).tolist()}; run the stage that evaluates it "
                    "again"
                )
    return suite, rows


def score_fields(suite: Suite, row: Row) -> Line:
    """Mean and deviation over seeds of each column, as ``<column>`` and ``<column>_sd``."""
    line: Line = {}
    for name in (one.name for one in suite.columns):
        scores = row.scores(name)
        line |= {name: float(np.mean(scores)), f"{name}_sd": deviation(scores)}
    return line


def row_difference(suite: Suite, row: Row, baseline: Row | None) -> Interval:
    """Difference of two rows' headlines with its interval.

    NaN from itself, from no row, and where the headline of one was not run.
    """
    if baseline is None or row.name == baseline.name:
        return Interval(np.nan, np.nan, np.nan)
    if not (row.has(suite.headline) and baseline.has(suite.headline)):
        return Interval(np.nan, np.nan, np.nan)
    ours, theirs, paired = paired_items(suite, row, baseline)
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    fixed = (not row.trained, not baseline.trained)
    return difference(ours, theirs, paired, rng, fixed)


def difference_fields(suite: Suite, row: Row, baseline: Row | None) -> Line:
    """`row_difference` as ``diff``, ``diff_low``, ``diff_high`` and an uncorrected ``p``."""
    gap = row_difference(suite, row, baseline)
    return {"diff": gap.value, "diff_low": gap.low, "diff_high": gap.high, "p": gap.p}


def correct_ps(lines: list[Line]) -> None:
    """Replace the p-values of a table's lines by those corrected for their number."""
    for line, p in zip(lines, holm([line["p"] for line in lines]), strict=True):
        line["p"] = p


def not_run_cells(frame: "pd.DataFrame", suite: Suite) -> "pd.DataFrame":
    """The frame with `NOT_RUN` where a column of the suite has no score."""
    for name in (one.name for one in suite.columns):
        known = frame[name].notna().to_numpy()
        if not known.all():
            frame[name] = frame[name].astype(object).where(known, NOT_RUN)
    return frame


def digits_of(suite: Suite, column: Column) -> int:
    """Decimals of a column: one for percent, three for bits."""
    parts = [suite.column(name) for name in column.of or [column.name]]
    return 3 if any(part.kind == "bits_per_byte" for part in parts) else 1


def score_text(suite: Suite, line: Line, column: Column, missing: str = NOT_RUN) -> str:
    """A column's mean ± deviation, `missing` where there is none."""
    digits = digits_of(suite, column)
    return mean_sd(line[column.name], line[f"{column.name}_sd"], digits, missing)


def winner(suite: Suite, lines: list[Line]) -> int | None:
    """The best selection's line, only if it is better than random after the correction.

    Lines of the kind `reference` do not compete.
    """
    head = suite.column(suite.headline)
    sign = 1 if head.higher_is_better else -1
    competing = [
        i
        for i, line in enumerate(lines)
        if line[head.name] == line[head.name] and line.get("kind") != "reference"
    ]
    if not competing:
        return None
    best = max(competing, key=lambda i: sign * lines[i][head.name])
    return best if sign * lines[best]["diff"] > 0 and lines[best]["p"] < ALPHA else None


def score_table(
    suite: Suite, lines: list[Line], sizes: Sequence[str], measures: Sequence[str] = ()
) -> TextTable:
    """Scores with deviations over seeds, the headline first, and differences from random.

    Args:
        suite: over which the rows compare.
        lines: a line a row.
        sizes: the counts after the selection's name, in their order.
        measures: of the subsets, shown after the p-value; lines have ``<name>``, ``<name>_sd``.
    """
    head = suite.column(suite.headline)
    others = [other for other in suite.columns if other.name != head.name]
    digits = digits_of(suite, head)
    heads = ["selection", *sizes, _head(head), "difference from random [95%]", "p (Holm)"]
    heads += [column(name).label for name in measures]
    rows = []
    for line in lines:
        gap, low, high = (line[name] for name in ("diff", "diff_low", "diff_high"))
        cells = [str(line["selection"]), *(number(line[name], 0) for name in sizes)]
        cells += [score_text(suite, line, head), with_interval(gap, low, high, digits, sign=True)]
        cells.append(p_text(line["p"]))
        cells += [mean_sd(line[n], line[f"{n}_sd"], column(n).digits or 0) for n in measures]
        rows.append(cells + [score_text(suite, line, other) for other in others])
    best = winner(suite, lines)
    bold = None if best is None else (best, 1 + len(sizes))
    return TextTable([*heads, *map(_head, others)], rows, bold)


def _head(column: Column) -> str:
    """A column's label, with an arrow where lower is better."""
    return column.label if column.higher_is_better else f"{column.label} ↓"
