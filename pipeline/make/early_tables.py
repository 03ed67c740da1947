"""What `make repro` shows before its last model: the subsets, then the rows finished so far."""

import math
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from harness.common import layout
from harness.common.markdown import aligned, first_table
from harness.params.params import MAIN, Cell, Params
from harness.params.pruning import SUBSETS
from harness.suites import load_suite
from harness.suites.metrics import read_metrics

SUBSET_STAGE = "report_subsets"
GLUE = "\0"  # for a space at which no line is broken


@dataclass(frozen=True)
class EarlyTables:
    """Lines to print when a stage has ended.

    Args:
        params: of the run.
        pending: the stages still to run; the others are up to date.
        columns: the width of the terminal, asked anew each time.
    """

    params: Params
    pending: set[str]
    columns: Callable[[], int]

    def ended(self, stage: str) -> list[str]:
        """The table of the subsets, or the rows finished so far, if the stage has changed them."""
        self.pending.discard(stage)
        if stage == SUBSET_STAGE:
            return list(self._subsets())
        rows: dict[str, list[Cell]] = {}
        for cell in self.params.cells(MAIN):
            rows.setdefault(cell.name, []).append(cell)
        done = {name: cells for name, cells in rows.items() if all(map(self._is_done, cells))}
        ended = {cell.stage("evaluate") for cells in done.values() for cell in cells}
        if stage not in ended or len(done) == len(rows):
            return []
        return list(self._rows(done, len(rows)))

    def _is_done(self, cell: Cell) -> bool:
        return cell.stage("evaluate") not in self.pending and _metrics_file(cell).is_file()

    def _subsets(self) -> Iterator[str]:
        """The first table of the report of subsets, as many columns as fit."""
        path = layout.report_folder(self.params.preset, SUBSETS) / "table.md"
        table = first_table(path.read_text(encoding="utf-8")) if path.is_file() else []
        shown = len(table[0]) if table else 0
        while shown > 1 and _width(table, shown) > self.columns():
            shown -= 1
        if table:
            yield "what each subset is, before any training of the table:"
            yield aligned([row[:shown] for row in table])
            yield f"more of it: {path}"

    def _rows(self, rows: Mapping[str, list[Cell]], in_all: int) -> Iterator[str]:
        """The headline's mean over seeds of each row, the best first."""
        suite = load_suite(self.params.evaluate.suite)
        head = suite.column(suite.headline)
        sign = -1 if head.higher_is_better else 1
        means: list[tuple[float, str, int]] = []
        for name, cells in rows.items():
            seeds = [one for c in cells for one in read_metrics(_metrics_file(c)).seeds.values()]
            scores = [one.measured.get(head.name, math.nan) for one in seeds]  # NaN: not run
            means.append((fmean(scores or [math.nan]), name, len(scores)))
        means.sort(key=lambda one: (math.isnan(one[0]), sign * one[0]))
        texts = [f"{name} {mean:.2f} ({seeds})" for mean, name, seeds in means]
        trial = " of a TRIAL (train.max_steps)" if self.params.train.max_steps else ""
        yield f"UNFINISHED table{trial}, {len(rows)} of {in_all} rows: {head.label}, mean (seeds)"
        width = max(20, self.columns() - 2)
        glued = ", ".join(text.replace(" ", GLUE) for text in texts)
        yield from (f"  {line}".replace(GLUE, " ") for line in textwrap.wrap(glued, width))


def _metrics_file(cell: Cell) -> Path:
    return layout.RUNS / cell.path / "metrics.json"


def before(stage: str, needs: Mapping[str, set[str]]) -> set[str]:
    """A stage and all that it waits for."""
    upstream: set[str] = set()
    to_see = [stage] if stage in needs else []
    while to_see:
        name = to_see.pop()
        if name not in upstream:
            upstream.add(name)
            to_see += needs.get(name, ())
    return upstream


def _width(table: list[list[str]], shown: int) -> int:
    return max(len(line) for line in aligned([row[:shown] for row in table]).splitlines())
