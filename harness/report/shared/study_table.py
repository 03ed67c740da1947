"""What every table of scores has: its rows and suite, means, differences, p-values, bold winner."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common.errors import InputError
from harness.params.params import Params
from harness.report.shared.columns import column
from harness.report.shared.comparable import compare
from harness.report.shared.judging import headline_items
from harness.report.shared.runs import Row, study_rows
from harness.report.shared.tables import (
    TextTable,
    interval,
    mean_sd,
    number,
    p_text,
    percent,
    with_interval,
)
from harness.statistics.differences import ALPHA, NAN, Difference, Estimate, SeedVariance
from harness.statistics.seeds import deviation
from harness.suites import Column, Suite, load_suite

if TYPE_CHECKING:
    import pandas as pd

Line = dict[str, Any]  # numbers by column, NaN where there is none
NOT_RUN = "not run"  # in place of a score
BETTER, WORSE, SIMILAR, UNDECIDED = "better", "worse", "no difference found", "not decided"
MARK = "†"  # a difference that new skills may not show
JUDGED = (
    *("skills_low", "skills_high", "se", "item_se", "df", "seed_sd", "seed_df"),
    *("detectable", "benchmarks_above", "run_beats_run"),
)
NONE = Difference(
    **dict.fromkeys(("value", "low", "high", "p", "se", "df", "item_se"), NAN),
    **dict.fromkeys(("skills_se", "skills_df", "above", "chance"), NAN),
    seeds=SeedVariance(NAN, NAN, NAN, ""),
)
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
            items, _, scores = headline_items(suite, row)
            from_items = scores @ items.slopes
            if not np.allclose(stated, from_items, atol=AGREEMENT):
                raise InputError(
                    f"{row.name}: metrics.json gives {suite.headline} {stated.round(3).tolist()}, "
                    f"its samples {from_items.round(3).tolist()}; run "
                    f"dvc repro -f -s {' '.join(row.stages)}"
                )
    return suite, rows


def score_fields(suite: Suite, row: Row) -> Line:
    """Mean and deviation over seeds of each column, as ``<column>`` and ``<column>_sd``."""
    line: Line = {}
    for name in (one.name for one in suite.columns):
        scores = row.scores(name)
        line |= {name: float(np.mean(scores)), f"{name}_sd": deviation(scores)}
    return line


def difference_fields(gap: Difference | None, sign: int, suffix: str = "") -> Line:
    """A difference as a table's line has it; NaN throughout where there is none.

    ``sign`` is 1 where a higher headline is better, else -1; ``suffix`` tells baselines apart.
    """
    gap = gap or NONE
    tested = not np.isnan(gap.holm)
    fields: Line = {
        "verdict": verdict(gap, sign),
        "diff": gap.value,
        "diff_low": gap.low,
        "diff_high": gap.high,
        "p": gap.holm,
        "se": gap.se,
        "df": gap.df if np.isfinite(gap.df) else NAN,
        "item_se": gap.item_se,
        "seed_sd": gap.seeds.value**0.5,
        "seed_source": gap.seeds.source,
        "seed_df": gap.seeds.df if gap.seeds.value > 0 else NAN,
        "critical": gap.critical if tested else NAN,
        "detectable": gap.detectable if tested else NAN,
        "skills_low": gap.value - gap.skills_half,
        "skills_high": gap.value + gap.skills_half,
        "benchmarks_above": gap.above,
        "run_beats_run": gap.chance,
    }
    return {f"{name}{suffix}": value for name, value in fields.items()}


def suffixes(baselines: Iterable[str]) -> dict[str, str]:
    """What the columns of each baseline end in: of the first nothing, of others its name."""
    return {name: f"_{name}" if place else "" for place, name in enumerate(baselines)}


def verdict(gap: Estimate | None, sign: int) -> str:
    """What a test of a family says of a difference; empty for one that was not tested."""
    if gap is None or np.isnan(gap.critical):
        return ""
    if np.isnan(gap.holm):
        return UNDECIDED
    if gap.holm >= ALPHA:
        return SIMILAR
    return BETTER if sign * gap.value > 0 else WORSE


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


def unit_of(digits: int) -> str:
    """What a difference of a column with so many decimals is counted in."""
    return "points" if digits == 1 else "bits per byte"


def score_text(suite: Suite, line: Line, column: Column, missing: str = NOT_RUN) -> str:
    """A column's mean ± deviation, `missing` where there is none."""
    digits = digits_of(suite, column)
    return mean_sd(line[column.name], line[f"{column.name}_sd"], digits, missing)


def difference_text(line: Line, digits: int, suffix: str = "") -> str:
    """A difference with its interval, marked where the one over new skills reaches zero."""
    gap, low, high = (line[f"{name}{suffix}"] for name in ("diff", "diff_low", "diff_high"))
    text = with_interval(gap, low, high, digits, sign=True)
    return f"{text} {MARK}" if marked(line, suffix) else text


def marked(line: Line, suffix: str = "") -> bool:
    """Whether a difference is clear for the benchmarks' skills and not for new ones."""
    names = ("diff_low", "diff_high", "skills_low", "skills_high")
    low, high, new_low, new_high = (line.get(f"{name}{suffix}", NAN) for name in names)
    return (low > 0 or high < 0) and new_low <= 0 <= new_high


def winner(suite: Suite, lines: list[Line]) -> int | None:
    """The best selection's line, only if it is better than random after the correction.

    Lines of the kind `reference` do not compete.
    """
    head = suite.column(suite.headline)
    sign = 1 if head.higher_is_better else -1
    if len({line.get("base") for line in lines}) > 1:
        return None  # models of several bases do not compete
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
    suite: Suite,
    lines: list[Line],
    sizes: Sequence[str],
    baselines: Mapping[str, str],
    measures: Sequence[str] = (),
    beside: Mapping[str, str] | None = None,
) -> TextTable:
    """Scores with deviations over seeds, the headline first, and differences from baselines.

    Args:
        suite: over which the rows compare.
        lines: a line a row.
        sizes: the counts after the selection's name, in their order.
        baselines: the suffix of each one's columns in the lines.
        measures: of the subsets, shown after the p-value; lines have ``<name>``, ``<name>_sd``.
        beside: labels of further averages, shown after the headline; lines have the same of them.
    """
    head = suite.column(suite.headline)
    others = [other for other in suite.columns if other.name != head.name]
    digits = digits_of(suite, head)
    beside = beside or {}
    heads = ["selection", *sizes, _head(head), *beside.values()]
    for name in baselines:
        heads += [f"difference from {name} [95%]", "p (Holm)"]
    heads += [column(name).label for name in measures]
    rows = []
    for line in lines:
        mark = " (trial)" if line.get("trial") else ""
        cells = [f"{line['selection']}{mark}", *(number(line[name], 0) for name in sizes)]
        cells.append(score_text(suite, line, head))
        cells += [mean_sd(line[name], line[f"{name}_sd"], digits, NOT_RUN) for name in beside]
        for suffix in baselines.values():
            cells += [difference_text(line, digits, suffix), p_text(line[f"p{suffix}"])]
        cells += [mean_sd(line[n], line[f"{n}_sd"], column(n).digits or 0) for n in measures]
        rows.append(cells + [score_text(suite, line, other) for other in others])
    best = winner(suite, lines)
    bold = None if best is None else (best, 1 + len(sizes))
    return TextTable([*heads, *map(_head, others)], rows, bold)


def _head(column: Column) -> str:
    """A column's label, with an arrow where lower is better."""
    return column.label if column.higher_is_better else f"{column.label} ↓"


def judgement_table(lines: list[Line], digits: int, baseline: str, suffix: str) -> TextTable:
    """What each difference from a baseline rests on: errors, intervals, power."""
    heads = ["selection", "difference [95%]", "for new skills [95%]", "standard error", "of items"]
    heads += [
        "df",
        "deviation of a run (df)",
        "smallest found",
        "benchmarks above",
        f"a run beats one of {baseline}",
    ]
    rows = []
    for line in lines:
        known = {name: line[f"{name}{suffix}"] for name in ("diff", *JUDGED)}
        if known["diff"] != known["diff"]:
            continue
        cells = [str(line.get("row", line["selection"])), difference_text(line, digits, suffix)]
        cells.append(interval(known["skills_low"], known["skills_high"], digits, sign=True))
        cells += [number(known[name], digits + 1) for name in ("se", "item_se")]
        run = number(known["seed_sd"], digits + 1)
        df = known["seed_df"]
        cells += [number(known["df"], 0), f"{run} ({number(df, 0)})" if df == df else run]
        cells.append(number(known["detectable"], digits))
        cells += [number(known["benchmarks_above"], 0), percent(known["run_beats_run"], 0)]
        rows.append(cells)
    return TextTable(heads, rows)
