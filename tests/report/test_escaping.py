"""Markup of Markdown, HTML, LaTeX and terminals in names and texts is escaped."""

import csv
import re
from pathlib import Path
from typing import Any

import pytest

from harness.common.errors import printable
from harness.common.files import read_json, write_json
from harness.common.markdown import first_table, markdown_text, notes_below
from harness.params.params import Params
from harness.report.scores.write import write_scores
from harness.report.shared.study_table import NOT_RUN
from harness.report.shared.tables import TextTable, latex_table, latex_text, markdown_table
from harness.suites import SUITES
from harness.tracking.runs import records
from tests.helpers.build_runs import build_runs, cells, take_away
from tests.helpers.toy_suite import write_toy_suite

NASTY = "a|b<i>\n\x1b[31m\u2028[x](http://y)"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        (r"a\|b", r"a\\\|b"),  # else the backslash is what is escaped, and a cell ends
        ("a\\", r"a\\"),
        ("<img src=x>", "&lt;img src=x>"),
        ("</td>", "&lt;/td>"),
        ("a <", "a &lt;"),
        ("p < 0.05, <0.001", "p < 0.05, <0.001"),  # opens no tag
        ("&lt;", "&amp;lt;"),
        ("R & D", "R & D"),
        ("[x](javascript:y)", r"[x]\(javascript:y)"),
        ("[0.1, 0.2] (a)", "[0.1, 0.2] (a)"),
        ("a\r\nb\tc", r"a\\r\\nb\\tc"),
        ("\x1b[31m\x07\x9b", r"\\x1b[31m\\x07\\x9b"),
        ("\u2028\u202e\ud800", r"\\u2028\\u202e\\ud800"),
        ("süß 漢字 👍🏽 −±", "süß 漢字 👍🏽 −±"),
    ],
)
def test_markdown(text: str, shown: str) -> None:
    assert markdown_text(text) == shown
    table = markdown_table(TextTable(["name", text], [[text, "1"]]))
    assert len(table.splitlines()) == 3
    # The terminal shows what was meant, on one line.
    assert first_table(table) == [["name", printable(text)], [printable(text), "1"]]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b<c>", r"a\textbar{}b\textless{}c\textgreater{}"),
        ("50% & #1_x $y {z} ~^\\", None),
        ("a\nb", r"a\textbackslash{}nb"),
        ("[1] first", "{}[1] first"),  # not the argument of the row before
        ("*", "{}*"),
    ],
)
def test_latex(text: str, shown: str | None) -> None:
    if shown is not None:
        assert latex_text(text) == shown
    table = latex_table(TextTable(["name", text], [[text, "1"]]), text, "tab:a", [text])
    rows = [line for line in table.splitlines() if line.endswith(r" \\")]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [1, 1]
    assert not re.search(r"(?<!\\)[#%]", table.replace(r"% \usepackage", ""))
    assert all(line.isprintable() for line in table.splitlines())


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.chdir(tmp_path)
    folder = write_toy_suite(tmp_path / "suite")
    monkeypatch.setitem(SUITES, "toy", folder)
    written = (folder / "suite.yaml").read_text()
    quoted = '"' + NASTY.encode("unicode_escape").decode() + '"'
    written = written.replace("label: Two", f"label: {quoted}")
    written = written.replace("title: Three toy benchmarks", f"title: {quoted}")
    (folder / "suite.yaml").write_text(written)
    listed: dict[str, Any] = {"table": ["none", "random"], "further": {}, "studies": {}}
    return build_runs(tmp_path, **listed, seed_groups=["s0"], evaluate={"suite": "toy"})


def is_plain(text: str) -> bool:
    """Whether no character of a page controls the display."""
    return all(line.isprintable() for line in text.split("\n"))


def test_every_file_of_a_study_escapes_them(tree: Params) -> None:
    for cell in cells("main", "random"):
        take_away(cell, "one")
        metrics = read_json(cell / "metrics.json")
        metrics["seeds"]["0"]["scores"]["one"] = {"not_run": NASTY}
        metrics["seeds"]["0"]["unisolated"] = NASTY
        write_json(cell / "metrics.json", metrics)
    folder = write_scores(tree, "main")
    for name in ("table.md", "table.tex", "table.csv"):
        text = (folder / name).read_text(encoding="utf-8")
        assert is_plain(text), name
    page = (folder / "table.md").read_text(encoding="utf-8")
    assert "<i" not in page
    assert "[x](" not in page
    rows = first_table(page)
    assert {len(row) for row in rows} == {9}
    notes = notes_below(page)
    assert [
        note.split(":")[0] for note in notes if not note.startswith(("Deviation", "Against"))
    ] == [
        "Not run",
        "Programs that models wrote ran without every wall of the sandbox "
        "(evaluate.allow_unisolated) in random",
    ]
    assert any(note.startswith("Not run") and printable(NASTY) in note for note in notes)
    assert printable(NASTY) in rows[0]
    assert rows[2][rows[0].index("One")] == NOT_RUN
    (seed,) = [r for r in records(tree) if r.name == "random seed 0"]
    assert len(list(csv.reader(seed.texts["scores.csv"].splitlines()))) == 5
