"""The chart of the lab's proofs: every row's average with its interval."""

from harness.report.sensitivity.proofs import Sensitivity
from harness.report.shared.charts import Chart, intervals
from harness.statistics.seeds import mean_interval


def level_charts(result: Sensitivity) -> list[Chart]:
    """The average of each row of the study, doses in their order."""
    head = result.suite.column(result.suite.headline)
    records = []
    for level in result.levels:
        mean = mean_interval(level.averages)
        record = {"name": level.name, "value": mean.value, "low": mean.low, "high": mean.high}
        records.append(record | {"part": level.part})
    caption = (
        "Means over seeds with 95% intervals. A world that distinguishes subsets has these rows "
        "far from each other, and the doses (shares of noise, shares of skills) in order."
    )
    title = f"{head.label} of subsets with known faults"
    return [intervals(records, title, caption, head.label, group="part")]
