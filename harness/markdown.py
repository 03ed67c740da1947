"""A Markdown table as plain aligned text, for the terminal."""

import re


def first_table(text: str) -> list[list[str]]:
    """The cells of the first table of a Markdown text, row by row; empty where there is none."""
    rows: list[list[str]] = []
    for line in text.splitlines():
        if line.lstrip().startswith("|"):
            rows.append([_plain(cell) for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))])
        elif rows:
            break
    return [row for row in rows if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]


def _plain(cell: str) -> str:
    """A cell without emphasis, code and link marks."""
    without_links = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", cell)
    return re.sub(r"\*\*|`", "", without_links).replace("\\|", "|").strip()


def aligned(rows: list[list[str]]) -> str:
    """Rows as text: the first column to the left, the others to the right, the head underlined."""
    if not rows:
        return ""
    columns = max(len(row) for row in rows)
    padded = [row + [""] * (columns - len(row)) for row in rows]
    widths = [max(len(row[i]) for row in padded) for i in range(columns)]
    lines = []
    for row in padded:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join([lines[0], "-" * (sum(widths) + 2 * (columns - 1)), *lines[1:]])
