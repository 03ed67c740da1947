"""A study's scores: one line a cut, by selection and size, with its difference from random."""

from typing import Any

import numpy as np

from harness.report.reading import BASELINE
from harness.report.render import (
    BLANK,
    TextTable,
    digits_of,
    head_of,
    number,
    p_text,
    score_text,
)
from harness.report.statistics import ALPHA, deviation, holm
from harness.report.table import row_difference
from harness.round_report.reading import CutRow, Inputs
from harness.suites import Column

VENDI_DIGITS = 1


def score_lines(found: Inputs) -> list[dict[str, Any]]:
    """Every number of the table: selections in the study's order, each by size.

    ``diff`` is the headline less that of as many random rows, NaN where the study has no such cut
    of random; ``p`` is Holm's over all differences of the table.
    """
    lines = []
    for cut in _in_order(found.cuts):
        row = cut.row
        line: dict[str, Any] = {"selection": cut.of, "cut": row.name}
        line |= {"rows": float(np.mean(cut.sizes)), "seeds": len(row.seeds)}
        for column in found.suite.columns:
            scores = row.scores(column.name)
            line[column.name] = float(np.mean(scores))
            line[f"{column.name}_sd"] = deviation(scores)
        if row.name in found.vendi:
            line["vendi_score"] = float(np.mean(found.vendi[row.name]))
            line["vendi_score_sd"] = deviation(found.vendi[row.name])
        random = None if cut.of == BASELINE else found.cut_of(BASELINE, cut.sizes)
        gap = row_difference(found.suite, row, random.row if random else None)
        line |= {"against": random.row.name if random else "", "diff": gap.value}
        line |= {"diff_low": gap.low, "diff_high": gap.high, "p": gap.p}
        lines.append(line)
    for line, p in zip(lines, holm([line["p"] for line in lines]), strict=True):
        line["p"] = p
    return lines


def _in_order(cuts: list[CutRow]) -> list[CutRow]:
    names = list(dict.fromkeys(cut.of for cut in cuts))
    return sorted(cuts, key=lambda cut: (names.index(cut.of), cut.sizes))


def score_table(found: Inputs, lines: list[dict[str, Any]]) -> TextTable:
    """The lines as text, the headline first, as the main study's table has it."""
    suite = found.suite
    head = suite.column(suite.headline)
    columns = [head, *(c for c in suite.columns if c.name != head.name)]
    digits = digits_of(suite, head)
    heads = ["selection", "rows", "seeds", head_of(head)]
    heads += ["difference from random [95%]", "p (Holm)"]
    heads += ["Vendi score"] if found.vendi else []
    rows = []
    for line in lines:
        gap = number(line["diff"], digits, sign=True)
        if gap != BLANK:
            low, high = (number(line[n], digits, sign=True) for n in ("diff_low", "diff_high"))
            gap = f"{gap} [{low}, {high}]"
        cells = [line["selection"], number(line["rows"], 0), str(line["seeds"])]
        cells += [score_text(line, head.name, digits), gap, p_text(line["p"])]
        if found.vendi:
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
