"""Draw the folders of the code and who imports whom into docs/architecture.md.

    python scripts/draw_architecture.py

The picture is read from the import statements, those inside functions too.
"""

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- folders: scripts/draw_architecture.py -->\n", "<!-- end of folders -->\n"
PROGRAM = "harness/__main__.py"  # `python -m harness`: above every folder


class Import(NamedTuple):
    """One import of a module that lies in another folder."""

    file: str
    line: int
    of: str  # the folder of what is imported


def files() -> list[str]:
    """The modules of the library and the pipeline, as paths from the root."""
    paths = (path for top in ("harness", "pipeline") for path in (ROOT / top).rglob("*.py"))
    return sorted(path.relative_to(ROOT).as_posix() for path in paths)


def folder_of(module: str) -> str | None:
    """The folder a module lies in; None where it is not one of ours."""
    path = ROOT / module.replace(".", "/")
    if (path / "__init__.py").is_file():
        return path.relative_to(ROOT).as_posix()
    if path.with_suffix(".py").is_file():
        return path.parent.relative_to(ROOT).as_posix()
    return None


@cache
def imports() -> tuple[Import, ...]:
    """Every import that leaves its folder."""
    imported = set()
    for file in files():
        for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                inner = [f"{node.module}.{alias.name}" for alias in node.names]
                names = [name if folder_of(name) else f"{node.module}" for name in inner]
            else:
                continue
            for name in names:
                folder = folder_of(name)
                if folder and folder != Path(file).parent.as_posix():
                    imported.add(Import(file, node.lineno, folder))
    return tuple(sorted(imported))


def graph() -> dict[str, set[str]]:
    """The folders that each folder imports from."""
    edges: dict[str, set[str]] = defaultdict(set)
    for file in files():
        if not file.endswith("/__init__.py"):  # a folder of folders only is none of these
            edges[Path(file).parent.as_posix()] |= set()
    for file, _, of in imports():
        if file != PROGRAM:
            edges[Path(file).parent.as_posix()].add(of)
    edges.pop("harness")
    return dict(edges)


def floors(edges: dict[str, set[str]]) -> list[list[str]]:
    """The folders by floor, lowest first: each imports from lower floors only."""
    left, below, floors = dict(edges), set(), []
    while left:
        floor = sorted(name for name, of in left.items() if of <= below)
        if not floor:
            raise SystemExit(f"these folders import each other in a circle: {sorted(left)}")
        floors.append(floor)
        below |= set(floor)
        left = {name: of for name, of in left.items() if name not in below}
    return floors


def picture() -> str:
    """A row a folder, lowest floor last; a dot for each folder that it imports from."""
    edges = graph()
    levels = list(reversed(floors(edges)))
    order = [name for level in levels for name in level]
    shown = [name.removeprefix("harness/") for name in order]
    width = max(map(len, shown))
    lines = [
        " " * (width + 4) + " ".join(f"{number:>2}"[digit] for number in range(1, len(order) + 1))
        for digit in (0, 1)
    ]
    for level in levels:
        for name in level:
            at = order.index(name)
            marks = ["■" if i == at else "·" for i in range(len(order))]
            for of in edges[name]:
                marks[order.index(of)] = "●"
            lines.append(f"{at + 1:>2} {shown[at]:{width}} {' '.join(marks)}")
        lines.append("")
    return "```text\n" + "\n".join(lines).rstrip() + "\n```\n"


def drawn(page: str) -> str:
    """The page with its picture as the code has it now."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE}: the lines {BEGIN.strip()} and {END.strip()} are missing")
    return before + begin + picture() + end + after


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
