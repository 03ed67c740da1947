"""What choosing cost, as tables."""

from typing import TYPE_CHECKING

from harness.describing.reads import ScoreCosts
from harness.report.shared.text_tables import BLANK, TextTable, number
from harness.report.subsets.columns import COST, FEEDBACK, column, value_text

if TYPE_CHECKING:
    import pandas as pd


def shown_costs(frame: "pd.DataFrame") -> list[str]:
    """The columns of the costs: what models and judges cost only where a selection had any."""
    return [name for name in COST if name not in FEEDBACK or (frame[name] != 0).to_numpy().any()]


def cost_table(frame: "pd.DataFrame") -> TextTable:
    """One row a selection: means over its seeds of what choosing cost, and what it read."""
    rows = []
    names = shown_costs(frame)
    for selection, mine in frame.groupby("selection", sort=False):
        cells = [str(selection), str(len(mine)), mine["reads"].iloc[0] or BLANK]
        rows.append(cells + [value_text(name, mine[name].tolist()) for name in names])
    return TextTable(["selection", "seeds", "reads", *(column(name).label for name in names)], rows)


def score_table(costs: ScoreCosts) -> TextTable:
    """One row a column of the scores: its scorer, the rows that a model read, and the seconds."""
    rows = []
    for name, cost in costs.items():
        seconds = cost["seconds"]
        cells = [name, str(cost["scorer"]), f"{cost['rows']:,}"]
        rows.append([*cells, BLANK if seconds is None else number(seconds, 1)])
    return TextTable(["score", "scorer", "rows a model read", "seconds"], rows)
