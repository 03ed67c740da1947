"""The numbers of a study's table: one line a row, everything in the unit the CSV gives it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common import layout
from harness.common.errors import InputError
from harness.common.schemas import TRUTH, read_frame
from harness.params.params import Params
from harness.report.shared.comparable import compare
from harness.report.shared.runs import BASELINE, Row, paired_items, row_items
from harness.report.shared.statistics import (
    Interval,
    averages,
    deviation,
    difference,
    holm,
    mean_interval,
)
from harness.report.shared.subset_facts import subset_facts
from harness.suites import Suite

if TYPE_CHECKING:
    import pandas as pd

# The bootstrap's own stream: a table made twice from the same cells is the same table.
BOOTSTRAP_SEED = 20409
NOT_RUN = "not run"  # in place of a score
AGREEMENT = 0.01  # metrics and the mean of their items may differ by rounding only


@dataclass(frozen=True)
class StudyTable:
    """A study's rows, its suite, and the table's lines: numbers by the name of their column.

    A number is NaN where there is none: a column's where it was not run. The suite is the one over
    which the rows compare.
    """

    study: str
    params: Params
    suite: Suite
    rows: list[Row]
    lines: list[dict[str, Any]]

    def frame(self) -> "pd.DataFrame":
        """The lines as they are written to the CSV."""
        import pandas as pd

        return not_run_cells(pd.DataFrame(self.lines).round(4), self.suite)


def not_run_cells(frame: "pd.DataFrame", suite: Suite) -> "pd.DataFrame":
    """The frame with the words for it where a column of the suite was not run."""
    for name in (column.name for column in suite.columns):
        known = frame[name].notna().to_numpy()
        if not known.all():
            frame[name] = frame[name].astype(object).where(known, NOT_RUN)
    return frame


def build_table(params: Params, study: str, suite: Suite, rows: list[Row]) -> StudyTable:
    """Fill in every number of the table: scores, intervals, differences, facts of the subsets."""
    planted = bool(len(read_frame(layout.TRUTH_FILE, TRUTH)))
    suite, rows = compare(suite, rows)
    baseline = next((row for row in rows if row.name == BASELINE), None)
    lines = []
    for row in rows:
        kind = "selection" if row.of in params.every_selection else "reference"
        line: dict[str, Any] = {"selection": row.name, "kind": kind, "seeds": len(row.seeds)}
        check_agreement(suite, row)
        facts = subset_facts(params, row, planted)
        line["rows"] = int(facts.pop("rows"))
        for column in suite.columns:
            scores = row.scores(column.name)
            line[column.name] = float(np.mean(scores))
            line[f"{column.name}_sd"] = deviation(scores)
        head = mean_interval(row.scores(suite.headline))
        line |= {"low": head.low, "high": head.high}
        gap = row_difference(suite, row, baseline)
        line |= {"diff": gap.value, "diff_low": gap.low, "diff_high": gap.high}
        # References are no candidates: how far they are from random is nobody's question.
        line["p"] = gap.p if kind == "selection" else np.nan
        lines.append(line | facts)
    for line, p in zip(lines, holm([line["p"] for line in lines]), strict=True):
        line["p"] = p
    return StudyTable(study, params, suite, rows, lines)


def row_difference(suite: Suite, row: Row, baseline: Row | None) -> Interval:
    """Difference of two rows' headlines with its interval; NaN from itself or from no row.

    And where the headline of one was not run.
    """
    if baseline is None or row.name == baseline.name:
        return Interval(np.nan, np.nan, np.nan)
    if not (row.has(suite.headline) and baseline.has(suite.headline)):
        return Interval(np.nan, np.nan, np.nan)
    ours, theirs, paired = paired_items(suite, row, baseline)
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    fixed = (not row.trained, not baseline.trained)
    return difference(ours, theirs, paired, rng, fixed)


def check_agreement(suite: Suite, row: Row) -> None:
    """Raise InputError where a row's items do not average to the headline in its metrics."""
    if not row.has(suite.headline):
        return
    stated = np.array(row.scores(suite.headline))
    from_items = averages(row_items(suite, row, row.seeds))
    if not np.allclose(stated, from_items, atol=AGREEMENT):
        raise InputError(
            f"{row.name}: metrics.json gives {suite.headline} {stated.round(3).tolist()}, its "
            f"samples {from_items.round(3).tolist()}; run the stage that evaluates it again"
        )
