"""A study's table as Markdown and LaTeX: the same numbers, rounded for reading."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.common.errors import printable
from harness.common.markdown import markdown_text
from harness.report.shared.statistics import ALPHA
from harness.report.shared.study_table import NOT_RUN, StudyTable
from harness.suites import Column, Suite

if TYPE_CHECKING:
    import pandas as pd

SCORER_LABELS = {"length": "mean response length (characters)", "ifd": "mean IFD"}
FACT_LABELS = {
    "noise_share": "planted noise",
    "skills_reached": "skills reached",
    "select_seconds": "selection (s)",
    "select_tokens": "tokens for selection",
    "train_seconds": "training (s)",
    "train_tokens": "tokens trained",
}
SHARES = {"noise_share", "skills_reached"}
BLANK = "–"
LARGE = 10


@dataclass(frozen=True)
class TextTable:
    """Heads and rows of text; ``bold`` is the (row, column) of the cell to set in bold, if any."""

    heads: list[str]
    rows: list[list[str]]
    bold: tuple[int, int] | None = None


def digits_of(suite: Suite, column: Column) -> int:
    """Decimals of a column: one for percent, three for bits."""
    parts = [suite.column(name) for name in column.of or [column.name]]
    return 3 if any(part.kind == "bits_per_byte" for part in parts) else 1


def number(value: Any, digits: int, sign: bool = False) -> str:  # noqa: ANN401  (a frame's cell)
    """A number with so many decimals, a dash where there is none."""
    if value is None or value != value:
        return BLANK
    text = f"{value:{'+' if sign else ''},.{digits}f}"
    return text.replace("-", "−")


def head_of(column: Column) -> str:
    """A column's label, with an arrow where lower is better."""
    return column.label if column.higher_is_better else f"{column.label} ↓"


def winner(table: StudyTable) -> int | None:
    """The row of the best selection, only if it is better than random after the correction."""
    head = table.suite.column(table.suite.headline)
    sign = 1 if head.higher_is_better else -1
    known = [i for i, line in enumerate(table.lines) if line[head.name] == line[head.name]]
    chosen = [i for i in known if table.lines[i]["kind"] == "selection"]
    if not chosen:
        return None
    best = max(chosen, key=lambda i: sign * table.lines[i][head.name])
    line = table.lines[best]
    return best if sign * line["diff"] > 0 and line["p"] < ALPHA else None


def score_table(table: StudyTable) -> TextTable:
    """Scores with deviations over seeds, the headline first, and differences from random."""
    suite = table.suite
    head = suite.column(suite.headline)
    columns = [head, *(c for c in suite.columns if c.name != head.name)]
    digits = digits_of(suite, head)
    heads = ["selection", "seeds", "rows", head_of(head), "difference from random [95%]"]
    heads += ["p (Holm)", *(head_of(c) for c in columns[1:])]
    rows = []
    for line in table.lines:
        gap = number(line["diff"], digits, sign=True)
        if gap != BLANK:
            low, high = (number(line[n], digits, sign=True) for n in ("diff_low", "diff_high"))
            gap = f"{gap} [{low}, {high}]"
        cells = [str(line["selection"]), str(line["seeds"]), number(line["rows"], 0)]
        cells += [score_text(line, head.name, digits), gap, p_text(line["p"])]
        rows.append(cells + [score_text(line, c.name, digits_of(suite, c)) for c in columns[1:]])
    best = winner(table)
    return TextTable(heads, rows, None if best is None else (best, 3))


def p_text(p: float) -> str:
    """A p-value to three decimals, a dash where there is none."""
    if p != p:
        return BLANK
    return "<0.001" if p < 0.001 else number(p, 3)


def score_text(line: dict[str, Any], name: str, digits: int, missing: str = NOT_RUN) -> str:
    """A column's mean ± deviation, `missing` where there is none."""
    mean, sd = number(line[name], digits), number(line[f"{name}_sd"], digits)
    if mean == BLANK:
        return missing
    return mean if sd == BLANK else f"{mean} ± {sd}"


def fact_table(table: StudyTable) -> TextTable:
    """What each subset is and what it cost, means over seeds."""
    names = [n for n in (*table.params.scorers, *FACT_LABELS) if n in table.lines[0]]
    heads = [
        "selection",
        "rows",
        *({**SCORER_LABELS, **FACT_LABELS}.get(n, f"mean {n}") for n in names),
    ]
    rows = []
    for line in table.lines:
        cells = [str(line["selection"]), number(line["rows"], 0)]
        for name in names:
            if name in SHARES:
                value = number(100 * line[name], 1)
                cells.append(value if value == BLANK else f"{value}%")
            else:
                whole = name.endswith("_tokens") or _is_large(table, name)
                cells.append(number(line[name], 0 if whole else 2))
        rows.append(cells)
    return TextTable(heads, rows)


def _is_large(table: StudyTable, name: str) -> bool:
    """Whether a score's digits before the point tell enough: a length does, a logit does not."""
    values = [abs(line[name]) for line in table.lines if line[name] == line[name]]
    return name in table.params.scorers and max(values, default=0) >= LARGE


def markdown_table(table: TextTable) -> str:
    """A Markdown table, padded so that it reads as plain text too; its cells are plain text."""
    heads, *rows = [[markdown_text(cell) for cell in row] for row in (table.heads, *table.rows)]
    if table.bold is not None:
        i, j = table.bold
        rows[i][j] = f"**{rows[i][j]}**"
    widths = [max(len(row[j]) for row in [heads, *rows]) for j in range(len(heads))]
    rule = ["-" * widths[0], *("-" * (w - 1) + ":" for w in widths[1:])]
    lines = [heads, rule, *rows]
    return "\n".join(
        "| "
        + " | ".join(
            cell.ljust(w) if j == 0 else cell.rjust(w)
            for j, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in lines
    )


def latex_table(table: TextTable, caption: str, label: str, notes: Sequence[str] = ()) -> str:
    """A LaTeX table (booktabs), each note a paragraph under it."""
    rows = [[latex_text(cell) for cell in row] for row in table.rows]
    if table.bold is not None:
        i, j = table.bold
        rows[i][j] = rf"\textbf{{{rows[i][j]}}}"
    return "\n".join(
        [
            r"% \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{latex_text(caption)}}}",
            rf"\label{{{label}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(table.heads) - 1)}}}",
            r"\toprule",
            _latex_line([latex_text(head) for head in table.heads]),
            r"\midrule",
            *(_latex_line(row) for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
            *(rf"\par\smallskip {{\footnotesize {latex_text(note)}\par}}" for note in notes),
            r"\end{table}",
            "",
        ]
    )


def _latex_line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def latex_text(text: str) -> str:
    """Text with what LaTeX would read as commands, or show as another sign, made literal."""
    marks = {"\\": r"\textbackslash{}", "±": r"$\pm$", "−": "$-$", "–": "--"}
    marks |= {"↓": r"$\downarrow$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    marks |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
    marks |= {c: f"\\{c}" for c in "_%&#${}"}
    # After the end of a row, LaTeX would take these for an argument.
    guard = "{}" if text[:1] in ("[", "*") else ""
    return guard + "".join(marks.get(c, c) for c in printable(text))


def csv_text(frame: "pd.DataFrame") -> str:
    """A frame as CSV, a line a row: line breaks and control characters in texts are written out."""
    shown = frame.rename(columns=printable)
    for name in shown.select_dtypes(exclude=["number", "bool"]).columns:
        shown[name] = [printable(v) if isinstance(v, str) else v for v in shown[name]]
    return shown.to_csv(index=False)
