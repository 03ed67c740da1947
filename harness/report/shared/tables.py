"""Tables as text: numbers rounded for reading, and the one renderer of Markdown, LaTeX and CSV."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.common.errors import printable
from harness.common.markdown import cell_text

if TYPE_CHECKING:
    import pandas as pd

BLANK = "–"


@dataclass(frozen=True)
class TextTable:
    """Heads and rows of text; ``bold`` is the (row, column) of the cell set in bold, if any."""

    heads: list[str]
    rows: list[list[str]]
    bold: tuple[int, int] | None = None


def number(value: float | None, digits: int, sign: bool = False) -> str:
    """A number with so many decimals; a dash for None and NaN."""
    if value is None or value != value:
        return BLANK
    return f"{value:{'+' if sign else ''},.{digits}f}".replace("-", "−")


def flops_text(value: float | None) -> str:
    """Operations to two digits, as 1.4e12; a dash for None and NaN."""
    if value is None or value != value:
        return BLANK
    return f"{value:.1e}".replace("e+0", "e").replace("e+", "e") if value else "0"


def percent(share: float, digits: int = 1) -> str:
    """A share (0-1) in percent; a dash for NaN."""
    return BLANK if share != share else f"{number(100 * share, digits)}%"


def mean_sd(mean: float, sd: float, digits: int, missing: str = BLANK) -> str:
    """``mean ± sd``; the mean alone where the deviation is NaN, `missing` where the mean is."""
    if mean != mean:
        return missing
    return number(mean, digits) + (f" ± {number(sd, digits)}" if sd == sd else "")


def interval(low: float, high: float, digits: int, sign: bool = False) -> str:
    """``[low, high]``, or a dash where there is no interval."""
    return f"[{number(low, digits, sign)}, {number(high, digits, sign)}]" if low == low else BLANK


def with_interval(value: float, low: float, high: float, digits: int, sign: bool = False) -> str:
    """``value [low, high]``; the value alone where it has no interval."""
    text = number(value, digits, sign)
    return f"{text} {interval(low, high, digits, sign)}" if low == low else text


def p_text(p: float) -> str:
    """A p-value to three decimals; a dash for NaN."""
    return "<0.001" if p < 0.001 else number(p, 3)


def markdown_table(table: TextTable) -> str:
    """A Markdown table, padded so that it reads as plain text too; its cells are plain text."""
    heads, *rows = _escaped(table, cell_text, "**{}**")
    widths = [max(len(row[j]) for row in [heads, *rows]) for j in range(len(heads))]
    rule = ["-" * widths[0], *("-" * (w - 1) + ":" for w in widths[1:])]
    padded = [
        [cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])]
        for cells in [heads, rule, *rows]
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in padded)


def latex_table(table: TextTable, caption: str, label: str, notes: Sequence[str] = ()) -> str:
    """A LaTeX table (booktabs), each note a paragraph below it; all texts are plain text."""
    heads, *rows = [
        " & ".join(cells) + r" \\" for cells in _escaped(table, latex_text, r"\textbf{{{}}}")
    ]
    lines = [
        r"% \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{latex_text(caption)}}}",
        rf"\label{{{label}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(table.heads) - 1)}}}",
        *(r"\toprule", heads, r"\midrule", *rows, r"\bottomrule"),
        r"\end{tabular}",
        *(rf"\par\smallskip {{\footnotesize {latex_text(note)}\par}}" for note in notes),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _escaped(table: TextTable, escape: Callable[[str], str], bold: str) -> list[list[str]]:
    """Heads and rows with every cell escaped, and the bold one set in the format ``bold``."""
    cells = [[escape(cell) for cell in row] for row in (table.heads, *table.rows)]
    if table.bold is not None:
        i, j = table.bold
        cells[i + 1][j] = bold.format(cells[i + 1][j])
    return cells


_LATEX = {"\\": r"\textbackslash{}", "±": r"$\pm$", "−": "$-$", "–": "--", "↓": r"$\downarrow$"}
_LATEX |= {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "|": r"\textbar{}"}
_LATEX |= {"<": r"\textless{}", ">": r"\textgreater{}", **{c: f"\\{c}" for c in "_%&#${}"}}


def latex_text(text: str) -> str:
    """Text with what LaTeX would read as commands, or show as another character, made literal."""
    # After the end of a row, LaTeX would take these for an argument.
    guard = "{}" if text[:1] in ("[", "*") else ""
    return guard + "".join(_LATEX.get(c, c) for c in printable(text))


def csv_text(frame: "pd.DataFrame") -> str:
    """A frame as CSV, a line a row: line breaks and control characters in texts are written out."""
    shown = frame.rename(columns=printable)
    for name in shown.select_dtypes(exclude=["number", "bool"]).columns:
        shown[name] = [printable(v) if isinstance(v, str) else v for v in shown[name]]
    return shown.to_csv(index=False)
