"""The numbers of a table of scores: one line a row, in the units of the CSV, and the two tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.common import layout
from harness.common.schemas import TRUTH, read_frame
from harness.params.params import Params
from harness.report.shared.columns import MEAN, RUN_COST, SHARED_COST, Column, column
from harness.report.shared.judging import families, judged
from harness.report.shared.notes import trial_mark
from harness.report.shared.runs import Row, described, trained_cost
from harness.report.shared.study_table import (
    Line,
    difference_fields,
    not_run_cells,
    read_study,
    score_fields,
    suffixes,
)
from harness.report.shared.tables import TextTable, number
from harness.statistics.differences import NAN, RowTable
from harness.statistics.seeds import deviation, mean_interval
from harness.suites import Suite

if TYPE_CHECKING:
    import pandas as pd

SCORER_LABELS = {"length": "mean response length (characters)", "ifd": "mean IFD"}
FACTS = ("noise_share", "skills_reached", *RUN_COST)
AS_POOL = "avg_as_pool"
LARGE = 10


@dataclass(frozen=True)
class StudyTable:
    """A study's rows, the suite over which they compare, and the table's lines."""

    study: str
    params: Params
    suite: Suite
    rows: list[Row]
    lines: list[Line]
    judged: RowTable
    baselines: dict[str, str]  # the suffix of each one's columns
    weights: dict[str, float]  # of benchmarks as the pool is mixed; empty where that is not known

    @property
    def title(self) -> str:
        """The suite, the study, the preset, and whether it is a trial."""
        study = self.params.studies.get(self.study)
        name = study.title if study and study.title else f"{self.study} study"
        return f"{self.suite.title}: {name}, preset {self.params.preset}{trial_mark(self.rows)}"

    def frame(self) -> "pd.DataFrame":
        """The lines as they are written to the CSV."""
        import pandas as pd

        return not_run_cells(pd.DataFrame(self.lines).round(4), self.suite)


def build_table(params: Params, study: str) -> StudyTable:
    """Compute every number of the table: scores, intervals, differences, facts of the subsets."""
    truth = read_frame(layout.TRUTH_FILE, TRUTH)
    suite, rows = read_study(params, study)
    weights = suite.pool_weights(truth["family"].value_counts(normalize=True).to_dict())
    table = judged(params, suite, rows)
    gaps = families(params, study, table, rows)
    baselines = suffixes(gaps)
    several = len({row.cells[0].base for row in rows}) > 1
    lines = []
    for row in rows:
        kind = "selection" if row.of in params.every_selection else "reference"
        line: Line = {"selection": row.name, "kind": kind, "seeds": len(row.seeds)}
        facts = subset_facts(params, row, planted=bool(len(truth)))
        line |= {"base": row.cells[0].base} if several else {}
        line |= {"trial": True} if row.trial else {}
        line["rows"] = int(facts.pop("rows"))
        head = mean_interval(row.scores(suite.headline))
        line |= {**score_fields(suite, row), "low": head.low, "high": head.high}
        line |= weighted_fields(row, weights)
        line |= difference_fields(None, table.sign)
        for name, suffix in baselines.items():
            line |= difference_fields(gaps[name].get(row.name), table.sign, suffix)
        lines.append(line | facts)
    return StudyTable(study, params, suite, rows, lines, table, baselines, weights)


def weighted_fields(row: Row, weights: Mapping[str, float]) -> Line:
    """The average with the benchmarks weighted as the pool is mixed; empty without weights."""
    if not weights:
        return {}
    each = sum(weight * np.array(row.scores(name)) for name, weight in weights.items())
    return {AS_POOL: float(np.mean(each)), f"{AS_POOL}_sd": deviation(np.asarray(each).tolist())}


def subset_facts(params: Params, row: Row, planted: bool) -> dict[str, float]:
    """Means over seeds of what a row's subsets hold and cost; NaN where it does not apply."""
    lines = []
    for seed, one in described(row).items():
        manifest = row.manifests[seed]
        line = {"rows": float(len(one.picks))}
        line |= {name: one.measures.get(f"{MEAN}{name}", NAN) for name in params.scorers}
        if planted:
            line["noise_share"] = one.measures.get("noise_share", NAN)
            line["skills_reached"] = one.measures.get("skills_reached", 0.0)
        line |= {f"select_{name}": one.cost[name] for name in ("seconds", "flops")}
        if params.selections_rounds:
            line["select_tokens"] = one.cost["tokens"]
        line |= {name: one.cost[name] for name in SHARED_COST}
        line |= trained_cost(manifest) | {"train_tokens": float(manifest["tokens"])}
        lines.append(line)
    return {name: float(np.mean([line[name] for line in lines])) for name in lines[0]}


def fact_table(table: StudyTable) -> TextTable:
    """What each subset is and what it cost, means over seeds."""
    shown = {name: _scorer_column(table, name) for name in table.params.scorers}
    shown |= {name: column(name) for name in FACTS if name in table.lines[0]}
    rows = [
        [
            str(line["selection"]),
            number(line["rows"], 0),
            *(one.text(line[name]) for name, one in shown.items()),
        ]
        for line in table.lines
    ]
    return TextTable(["selection", "rows", *(one.label for one in shown.values())], rows)


def _scorer_column(table: StudyTable, name: str) -> Column:
    """The mean of a scorer: large values, as lengths are, need no decimals."""
    values = [abs(line[name]) for line in table.lines if line[name] == line[name]]
    digits = 0 if max(values, default=0) >= LARGE else 2
    return Column(SCORER_LABELS.get(name, column(f"{MEAN}{name}").label), digits)
