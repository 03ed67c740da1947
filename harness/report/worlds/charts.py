"""The chart of a report over worlds: differences from the baseline over them, and in each."""

from math import isnan

from harness.report.shared.charts import Chart, intervals
from harness.report.shared.study_table import unit_of
from harness.report.worlds.lines import WorldTable


def world_charts(table: WorldTable) -> list[Chart]:
    """Each row's mean difference over the worlds with its interval."""
    head = table.suite.column(table.suite.headline)
    unit = unit_of(table.digits)
    records = [
        {
            "name": line["selection"],
            "value": line["diff"],
            "low": line["diff_low"],
            "high": line["diff_high"],
            "verdict": line["verdict"] or "not tested",
        }
        for line in table.lines
        if not isnan(line["diff"])
    ]
    if not records:
        return []
    worlds = f"{len(table.worlds)} worlds"
    caption = f"{unit.capitalize()} of {head.label}, means over {worlds} with 95% intervals."
    axis = f"difference from {table.baseline} ({unit})"
    title = f"Differences from {table.baseline} over {worlds}"
    return [intervals(records, title, caption, axis, group="verdict", zero=True)]
