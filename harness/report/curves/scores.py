"""A study's scores: one line a row, by selection and size, with its difference from random."""

from typing import Any

import numpy as np

from harness.report.curves.inputs import CurveStudy, Point
from harness.report.shared.runs import BASELINE
from harness.report.shared.statistics import ALPHA, deviation, holm
from harness.report.shared.study_table import row_difference
from harness.report.shared.text_tables import (
    BLANK,
    TextTable,
    digits_of,
    head_of,
    number,
    p_text,
    score_text,
)
from harness.suites import Column

VENDI_DIGITS = 1


def score_lines(found: CurveStudy) -> list[dict[str, Any]]:
    """Every number of the table: selections in the study's order, each by size.

    ``diff`` is the headline less that of as many random rows, NaN where the study has no such row
    of random; ``p`` is Holm's over all differences of the table.
    """
    lines = []
    for point in _in_order(found.points):
        row = point.row
        line: dict[str, Any] = {"selection": point.of, "row": row.name}
        line |= {"rows": float(np.mean(point.sizes)), "seeds": len(row.seeds)}
        for column in found.suite.columns:
            scores = row.scores(column.name)
            line[column.name] = float(np.mean(scores))
            line[f"{column.name}_sd"] = deviation(scores)
        vendi = point.measures("vendi_score")
        line |= {"vendi_score": float(np.mean(vendi)), "vendi_score_sd": deviation(vendi)}
        random = None if point.of == BASELINE else found.point_of(BASELINE, point.sizes)
        gap = row_difference(found.suite, row, random.row if random else None)
        line |= {"against": random.row.name if random else "", "diff": gap.value}
        line |= {"diff_low": gap.low, "diff_high": gap.high, "p": gap.p}
        lines.append(line)
    for line, p in zip(lines, holm([line["p"] for line in lines]), strict=True):
        line["p"] = p
    return lines


def _in_order(points: list[Point]) -> list[Point]:
    names = list(dict.fromkeys(point.of for point in points))
    return sorted(points, key=lambda point: (names.index(point.of), point.sizes))


def score_table(found: CurveStudy, lines: list[dict[str, Any]]) -> TextTable:
    """The lines as text, the headline first, as the main table has it."""
    suite = found.suite
    head = suite.column(suite.headline)
    columns = [head, *(c for c in suite.columns if c.name != head.name)]
    digits = digits_of(suite, head)
    heads = ["selection", "rows", "seeds", head_of(head)]
    heads += ["difference from random [95%]", "p (Holm)"]
    heads.append("Vendi score")
    rows = []
    for line in lines:
        gap = number(line["diff"], digits, sign=True)
        if gap != BLANK:
            low, high = (number(line[n], digits, sign=True) for n in ("diff_low", "diff_high"))
            gap = f"{gap} [{low}, {high}]"
        cells = [line["selection"], number(line["rows"], 0), str(line["seeds"])]
        cells += [score_text(line, head.name, digits), gap, p_text(line["p"])]
        cells.append(score_text(line, "vendi_score", VENDI_DIGITS))
        rows.append(cells + [score_text(line, c.name, digits_of(suite, c)) for c in columns[1:]])
    best = winner(lines, head)
    heads += [head_of(c) for c in columns[1:]]
    return TextTable(heads, rows, None if best is None else (best, 3))


def winner(lines: list[dict[str, Any]], head: Column) -> int | None:
    """The best line, only if it is better than as many random rows after the correction."""
    sign = 1 if head.higher_is_better else -1
    known = [i for i, line in enumerate(lines) if line[head.name] == line[head.name]]
    if not known:
        return None
    best = max(known, key=lambda i: sign * lines[i][head.name])
    line = lines[best]
    return best if sign * line["diff"] > 0 and line["p"] < ALPHA else None
