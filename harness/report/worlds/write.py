"""Write a report over worlds: ``table.csv|md|png`` in its folder."""

from collections.abc import Callable
from functools import partial
from math import isnan
from pathlib import Path

from harness.params.params import Params
from harness.report.shared.notes import preset_note, score_notes, training_notes
from harness.report.shared.pages import page, write_report
from harness.report.shared.study_table import unit_of
from harness.report.shared.tables import csv_text
from harness.report.shared.verdicts import verdict_notes
from harness.report.worlds.charts import world_charts
from harness.report.worlds.lines import WorldTable, build_worlds, difference_table, score_by_world
from harness.report.worlds.plot import plot_worlds


def write_worlds(params: Params, name: str) -> Path:
    """Compute the differences over worlds and write them; returns the folder."""
    table = build_worlds(params, name)
    files: dict[str, str | Callable[[Path], object]]
    files = {"table.csv": csv_text(table.frame()), "table.md": markdown(table)}
    files["table.png"] = partial(plot_worlds, table)
    return write_report(params, name, files, world_charts(table))


def markdown(table: WorldTable) -> str:
    """The page: differences first, the scores they come from below."""
    params, head = table.params, table.suite.column(table.suite.headline)
    return page(
        "worlds/page.md.jinja",
        table=table,
        preset=preset_note(params.preset, table.worlds),
        verdicts=[]
        if any(row.trial for row in table.every_row)
        else verdict_notes(
            table.lines,
            {table.baseline: ""},
            head.label,
            table.digits,
            params.preset,
            len(table.worlds),
        ),
        differences=difference_table(table),
        scores=score_by_world(table),
        notes=[*score_notes(table.suite, table.every_row), *training_notes(table.every_row)],
        tested=sum(bool(line["verdict"]) for line in table.lines),
        unit=unit_of(table.digits),
        same_base=params.base_model.source != "scratch",
        single=any(x["diff"] == x["diff"] and isnan(x["world_share"]) for x in table.lines),
    )
