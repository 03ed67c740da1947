"""What tables say of rows that were not run on every column, worked out by hand."""

import statistics
from typing import Any

from harness.common.schemas import SAMPLES, read_frame
from tests.helpers.build_runs import cells

FEWER = "Average of 2"


MAIN_ONLY: dict[str, Any] = {
    "table": ["none", "random", "k_center", "full"],
    "seed_groups": ["s0_1", "s2"],
    "further": {},
    "studies": {},
    "evaluate": {"suite": "toy"},
}


def by_hand(name: str, *columns: str, study: str = "main") -> list[float]:
    """Each seed's mean over columns, from the items alone."""
    items: dict[int, dict[str, list[float]]] = {}
    for cell in cells(study, name):
        for line in read_frame(cell / "samples.parquet", SAMPLES).to_dict("records"):
            items.setdefault(line["seed"], {}).setdefault(line["task"], []).append(line["score"])
    return [
        statistics.fmean(statistics.fmean(items[seed][column]) for column in columns)
        for seed in sorted(items)
    ]
