"""The numbers of a report over worlds: one line a row, and the two tables."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.common.errors import InputError
from harness.params.params import Params
from harness.report.shared.comparable import compare
from harness.report.shared.notes import trial_mark
from harness.report.shared.runs import Row, read_row
from harness.report.shared.study_table import (
    NOT_RUN,
    Line,
    checked,
    difference_text,
    digits_of,
    verdict,
    winner,
)
from harness.report.shared.tables import TextTable, interval, mean_sd, number, p_text, percent
from harness.statistics.differences import NAN, corrected
from harness.statistics.seeds import deviation
from harness.statistics.worlds import WorldDifference, over_worlds, seed_variance
from harness.suites import Suite, load_suite

if TYPE_CHECKING:
    import pandas as pd

ByWorld = dict[str, Row]  # a row's runs in each world
FIELDS = ("diff", "diff_low", "diff_high", "new_low", "new_high", "p", "se", "df", "critical")
FIELDS += ("detectable", "world_share")


@dataclass(frozen=True)
class WorldTable:
    """The rows of all worlds, the suite over which they compare, and the table's lines."""

    name: str
    params: Params
    suite: Suite
    rows: dict[str, ByWorld]
    lines: list[Line]

    @property
    def baseline(self) -> str:
        """The row from which the others differ."""
        return self.params.world_reports[self.name].baseline

    @property
    def worlds(self) -> list[str]:
        """The worlds in the order of the params."""
        return list(self.params.worlds)

    @property
    def digits(self) -> int:
        """Decimals of the headline."""
        return digits_of(self.suite, self.suite.column(self.suite.headline))

    @property
    def title(self) -> str:
        """The suite, the report, the preset, and whether it is a trial."""
        name = self.params.world_reports[self.name].title or "over generated worlds"
        mark = trial_mark(self.every_row)
        return f"{self.suite.title}: {name}, preset {self.params.preset}{mark}"

    @property
    def every_row(self) -> list[Row]:
        """Each row in each world."""
        return [row for by_world in self.rows.values() for row in by_world.values()]

    def frame(self) -> "pd.DataFrame":
        """The lines as they are written to the CSV."""
        import pandas as pd

        return pd.DataFrame(self.lines).round(4)


def build_worlds(params: Params, name: str) -> WorldTable:
    """Compute every number of a report of `world_reports`.

    Raises InputError where there is no world or no baseline, and where a world's cell is missing.
    """
    baseline = params.world_reports[name].baseline
    if not params.worlds or baseline not in params.world_rows:
        raise InputError(f"params.yaml: {name} needs worlds and {baseline} in world_rows")
    suite, rows = read_worlds(params)
    head = suite.column(suite.headline)
    gaps = differences(params, rows, baseline, head.name)
    sign = 1 if head.higher_is_better else -1
    lines = []
    for row, by_world in rows.items():
        kind = "selection" if row in params.every_selection else "reference"
        line: Line = {"selection": row, "kind": kind, "worlds": len(by_world)}
        scores = {world: one.scores(head.name) for world, one in by_world.items()}
        means = [float(np.mean(one)) for one in scores.values()]
        line |= {head.name: float(np.mean(means)), f"{head.name}_sd": deviation(means)}
        line |= _difference_fields(gaps.get(row), sign)
        for place, (world, own) in enumerate(scores.items()):
            gap = gaps[row].by_world[place] if row in gaps else NAN
            line |= {f"{world}_seeds": len(own), f"{world}_{head.name}": means[place]}
            line |= {f"{world}_{head.name}_sd": deviation(own), f"{world}_diff": gap}
        lines.append(line)
    return WorldTable(name, params, suite, rows, lines)


def read_worlds(params: Params) -> tuple[Suite, dict[str, ByWorld]]:
    """The suite over which the rows of all worlds compare, and each row by world."""
    pairs = [(name, world) for name in params.world_rows for world in params.worlds]
    read = [read_row(params, params.world_cells(*pair)) for pair in pairs]
    suite, compared = checked(*compare(load_suite(params.evaluate.suite), read))
    rows: dict[str, ByWorld] = {name: {} for name in params.world_rows}
    for (name, world), row in zip(pairs, compared, strict=True):
        rows[name][world] = row
    return suite, rows


def differences(
    params: Params, rows: dict[str, ByWorld], baseline: str, head: str
) -> dict[str, WorldDifference]:
    """How each other row differs from the baseline, over the worlds.

    One family is tested: the selections at the baseline's budget. Rows of the same models in every
    world count once.
    """
    measured = {n: by_world for n, by_world in rows.items() if _has(by_world, head)}
    if baseline not in measured:
        return {}
    gaps = {n: _gap(one, rows[baseline], head) for n, one in measured.items() if n != baseline}
    selections = params.every_selection
    tested = {
        name: tuple(row.runs for row in rows[name].values())
        for name in gaps
        if name in selections and selections[name].budget == selections[baseline].budget
    }
    family: dict[Hashable, WorldDifference] = {}
    for name, models in tested.items():
        family.setdefault(models, gaps[name])
    known = corrected(family)
    untested = {name: replace(gap, p=NAN) for name, gap in gaps.items() if name not in tested}
    judged = {
        name: replace(gaps[name], holm=known[models].holm, critical=known[models].critical)
        for name, models in tested.items()
    }
    return {name: (untested | judged)[name] for name in gaps}


def _has(by_world: ByWorld, head: str) -> bool:
    return all(row.has(head) for row in by_world.values())


def _gap(ours: ByWorld, theirs: ByWorld, head: str) -> WorldDifference:
    gaps, seeds = [], []
    for world, row in ours.items():
        pair = (row, theirs[world])
        mine, base = (float(np.mean(one.scores(head))) for one in pair)
        gaps.append(mine - base)
        seeds.append(sum(seed_variance(one.scores(head), one.trained) for one in pair))
    return over_worlds(gaps, seeds)


def _difference_fields(gap: WorldDifference | None, sign: int) -> Line:
    if gap is None:
        return {"verdict": "", **dict.fromkeys(FIELDS, NAN)}
    return {
        "verdict": verdict(gap, sign),
        "diff": gap.value,
        "diff_low": gap.low,
        "diff_high": gap.high,
        "new_low": gap.new_low,
        "new_high": gap.new_high,
        "p": gap.holm,
        "se": gap.se,
        "df": gap.df,
        "critical": gap.critical,
        "detectable": gap.detectable,
        "world_share": gap.share,
    }


def difference_table(table: WorldTable) -> TextTable:
    """Differences from the baseline: over the worlds, in one not seen, and in each."""
    heads = ["selection", f"difference from {table.baseline} [95%]", "in a world not seen [95%]"]
    heads += ["p (Holm)", "smallest found", "variance from worlds"]
    heads += [f"in {world}" for world in table.worlds]
    lines = [line for line in table.lines if line["selection"] != table.baseline]
    best = winner(table.suite, lines)
    rows = []
    for line in lines:
        cells = [str(line["selection"]), difference_text(line, table.digits)]
        cells.append(interval(line["new_low"], line["new_high"], table.digits, sign=True))
        cells += [p_text(line["p"]), number(line["detectable"], table.digits)]
        cells.append(percent(line["world_share"], 0))
        gaps = (line[f"{world}_diff"] for world in table.worlds)
        rows.append(cells + [number(gap, table.digits, sign=True) for gap in gaps])
    return TextTable(heads, rows, None if best is None else (best, 1))


def score_by_world(table: WorldTable) -> TextTable:
    """The headline of each row in each world, and over all."""
    name = table.suite.headline
    label = table.suite.column(name).label
    heads = ["selection", f"{label} over worlds", *(f"in {world}" for world in table.worlds)]
    rows = []
    for line in table.lines:
        columns = [name, *(f"{world}_{name}" for world in table.worlds)]
        scores = [mean_sd(line[c], line[f"{c}_sd"], table.digits, NOT_RUN) for c in columns]
        rows.append([str(line["selection"]), *scores])
    return TextTable(heads, rows)
