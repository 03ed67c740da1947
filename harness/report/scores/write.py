"""Write a table of scores, its plot, summary and provenance."""

from pathlib import Path
from typing import Any

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import replacing_folder, write_json
from harness.common.markdown import markdown_text
from harness.params.params import MAIN, Params
from harness.report.shared.footnotes import cut_notes, score_notes
from harness.report.shared.notes import preset_note, study_notes
from harness.report.shared.plots import plot_study
from harness.report.shared.provenance import provenance
from harness.report.shared.runs import study_rows
from harness.report.shared.study_table import NOT_RUN, StudyTable, build_table
from harness.report.shared.text_tables import (
    csv_text,
    digits_of,
    fact_table,
    latex_table,
    markdown_table,
    score_table,
)
from harness.suites import load_suite


def write_scores(params: Params, study: str) -> Path:
    """Write a study's ``table.csv|md|tex|png``; of the main table provenance and summary, too.

    Everything is worked out before the first file is written. Returns the folder. Raises
    InputError naming the stage to run where a cell that params name is missing.
    """
    suite = load_suite(params.evaluate.suite)
    rows = study_rows(params, study)
    if not rows:
        raise InputError(f"params.yaml: no entry of `further` has study: {study}; add its rows")
    table = build_table(params, study, suite, rows)
    texts = {"md": markdown(table), "tex": latex(table), "csv": csv_text(table.frame())}
    origin = provenance(params, rows)
    with replacing_folder(layout.report_folder(params.preset, study)) as folder:
        for ending, text in texts.items():
            (folder / f"table.{ending}").write_text(text, encoding="utf-8")
        plot_study(table, folder / "table.png")
        write_json(folder / "provenance.json", origin)
    if study == MAIN:
        write_json(layout.RESULTS / params.preset / "summary.json", summary(table))
    return layout.report_folder(params.preset, study)


def markdown(table: StudyTable) -> str:
    """The report's text: what it is, the scores, what each subset is and costs, the notes."""
    parts = [
        markdown_text(f"# {title(table)}"),
        preset_note(table.params.preset),
        markdown_table(score_table(table)),
        *map(markdown_text, notes_below(table)),
        "![scores](table.png)",
        "## What each subset is, and what it cost",
        markdown_table(fact_table(table)),
        "## How to read it",
        *study_notes(table),
        "Where it comes from: `provenance.json`, `../dvc.lock`.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def title(table: StudyTable) -> str:
    """The suite, the study, and the preset."""
    study = table.params.studies.get(table.study)
    told = study.title if study and study.title else f"{table.study} study"
    return f"{table.suite.title}: {told}, preset {table.params.preset}"


def notes_below(table: StudyTable) -> list[str]:
    """What stands right under the scores, as plain text."""
    return [*score_notes(table.suite, table.rows), *cut_notes(table.rows)]


def latex(table: StudyTable) -> str:
    """Both tables in LaTeX, the preset's note as the first one's caption."""
    caption = f"{title(table)}. {preset_note(table.params.preset)}".strip()
    label = f"tab:{table.params.preset}-{table.study}"
    return (
        latex_table(score_table(table), caption, label, notes_below(table))
        + "\n"
        + latex_table(
            fact_table(table), f"What each subset is and cost: {title(table)}.", f"{label}-facts"
        )
    )


def summary(table: StudyTable) -> dict[str, dict[str, Any]]:
    """Each row's headline, deviation, seeds and benchmarks, rounded, for DVC to show."""
    suite, head = table.suite, table.suite.headline
    found: dict[str, dict[str, Any]] = {}
    digits = {c.name: max(2, digits_of(suite, c)) for c in suite.columns}
    for line in table.lines:
        sd = line[f"{head}_sd"]
        scores: dict[str, Any] = {
            name: round(float(line[name]), places) if line[name] == line[name] else NOT_RUN
            for name, places in digits.items()
        }
        short: dict[str, Any] = {head: scores.pop(head)}
        if sd == sd:
            short["sd"] = round(float(sd), digits[head])
        short["seeds"] = int(line["seeds"])
        short |= scores
        found[str(line["selection"])] = short
    return found
