"""Any text within Markdown, and a Markdown table as plain text for the terminal."""

import re

from harness.common.errors import printable

# `<` only where it opens a tag, so that `p < 0.05` stays as it is; `&` where it opens an entity.
_ENTITIES = {"<": "&lt;", "&": "&amp;"}
_MARKUP = re.compile(r"[\\|]|<(?=[A-Za-z/!?]|$)|&(?=#?\w+;)|(?<=\])\(")
# Marks of emphasis, code and strikes; not the `_` within a name, which is none.
_EMPHASIS = re.compile(r"[*`~]|(?<![^\W_])_|_(?![^\W_])")


def markdown_text(text: object) -> str:
    """A text escaped so that, even in a table's cell, it makes no tag, cell, link or line.

    Marks of emphasis and code are left as they are.
    """
    escaped = _ENTITIES.get
    return _MARKUP.sub(lambda mark: escaped(mark[0], f"\\{mark[0]}"), printable(text))


def cell_text(text: object) -> str:
    """A text escaped so that, in a table's cell, it is read as it stands."""
    return _EMPHASIS.sub(r"\\\g<0>", markdown_text(text))


def first_table(text: str) -> list[list[str]]:
    """The cells of the first table of a Markdown text, row by row; empty where there is none."""
    rows: list[list[str]] = []
    for line in text.splitlines():
        if line.lstrip().startswith("|"):
            cells = re.findall(r"\|((?:\\.|[^|\\])*)(?=\|)", line.strip())
            rows.append([_plain(cell) for cell in cells])
        elif rows:
            break
    return [row for row in rows if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]


def notes_below(text: str) -> list[str]:
    """The paragraphs between the first table of a report and its picture, as plain text."""
    _, _, rest = text.partition("\n|")
    below, picture, _ = rest.partition("\n![")
    paragraphs = below.split("\n\n")[1:] if picture else []
    return [_plain(paragraph) for paragraph in paragraphs if paragraph.strip()]


def _plain(cell: str) -> str:
    """A cell without emphasis, code and link marks, and without the escapes of `cell_text`."""
    without_links = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", cell)
    shown = re.sub(r"\\([\\|(*`~_])|\*\*|`", lambda mark: mark[1] or "", without_links)
    return shown.replace("&lt;", "<").replace("&amp;", "&").strip()


def aligned(rows: list[list[str]]) -> str:
    """Rows as text: the first column aligned left, the others right, the head underlined."""
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
