"""The proofs that the lab tells subsets apart: a number, a bound, and whether it holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.common.errors import InputError
from harness.params.params import Params
from harness.report.shared.comparable import compare
from harness.report.shared.judging import judged
from harness.report.shared.runs import BASELINE, Row, cells_by_row, read_row
from harness.report.shared.study_table import checked
from harness.statistics.differences import ALPHA, NAN, RowTable
from harness.statistics.seeds import (
    deviation,
    deviation_interval,
    mean_interval,
    ratio_interval,
    rising_trend,
)
from harness.suites import Suite, load_suite

# What the lab must show, in points of the average, and the evidence it needs.
LEAST_GAIN = 20.0
LEAST_RATIO = 5.0
MOST_DEVIATION = 2.0
LEAST_SEEDS = 8
LEAST_DOSES = 3
Scores = Mapping[str, Sequence[float]]  # of each row, by seed
FIXED = ("none", BASELINE, "oracle", "full_clean")  # rows that are not doses


@dataclass(frozen=True)
class Proof:
    """One claim: its number, its bound, whether it holds; interval or p where there is one."""

    name: str
    claim: str
    value: float
    bound: str
    seeds: str
    holds: bool
    remark: str = ""
    low: float = NAN
    high: float = NAN
    p: float = NAN

    @property
    def verdict(self) -> str:
        """The word for whether it holds."""
        return "holds" if self.holds else "FAILS"


@dataclass(frozen=True)
class Level:
    """One row of the study: the average over benchmarks by seed; its dose, or NaN."""

    part: str
    name: str
    dose: float
    averages: list[float]


@dataclass(frozen=True)
class Sensitivity:
    """The proofs, the rows they were computed from, and the suite over which these compare."""

    suite: Suite
    proofs: list[Proof]
    levels: list[Level]
    rows: list[Row]
    table: RowTable


def examine(params: Params, study: str) -> Sensitivity:
    """Read the rows of the study that the proofs need, and compute every verdict."""
    cells = cells_by_row(params, study)
    doses = {part: _doses(params, list(cells), part) for part in ("noise", "coverage")}
    needed = [*FIXED, *(name for listed in doses.values() for _, name in listed)]
    for name in needed:
        if name not in cells:
            raise InputError(
                f"params.yaml: the study {study} needs {name}; no entry of `further` has it"
            )
    read = [read_row(params, cells[name]) for name in needed]
    suite, compared = checked(*compare(load_suite(params.evaluate.suite), read))
    if not all(row.has(suite.headline) for row in compared):
        row = next(row for row in read if not row.has(suite.headline))
        label = suite.column(suite.headline).label
        why = next(why for one in row.metrics.values() for why in one.not_run.values())
        raise InputError(f"sensitivity: {label} of {row.name} was not run: {why}")
    table = judged(params, suite, compared)
    scores = {row.name: row.scores(suite.headline) for row in compared}
    levels = [Level("rows", name, NAN, scores[name]) for name in FIXED]
    for part, listed in doses.items():
        levels += [Level(part, name, dose, scores[name]) for dose, name in listed]
    proofs = [
        gain_proof(table, scores),
        ratio_proof(table, scores),
        *(dose_proof(part, table, scores, [name for _, name in doses[part]]) for part in doses),
        deviation_proof(scores[BASELINE]),
    ]
    return Sensitivity(suite, proofs, levels, compared, table)


def _doses(params: Params, names: list[str], part: str) -> list[tuple[float, str]]:
    references = {name: params.references[name] for name in names if name in params.references}
    listed = [(item.share, name) for name, item in references.items() if item.rows == part]
    return sorted((share, name) for share, name in listed if share is not None)


def gain_proof(table: RowTable, scores: Scores) -> Proof:
    """(1) What training on the whole clean pool gains over no training."""
    gap = table.difference("full_clean", "none")
    return Proof(
        "gain",
        "full_clean − none, points",
        gap.value,
        f"at least {LEAST_GAIN:g}",
        f"{len(scores['full_clean'])} and {len(scores['none'])}",
        bool(gap.value >= LEAST_GAIN),
        _reaches(gap.low < LEAST_GAIN <= gap.value, "below"),
        low=gap.low,
        high=gap.high,
    )


def ratio_proof(table: RowTable, scores: Scores) -> Proof:
    """(2) An oracle subset of the same budget against random, in seed deviations of random."""
    gap, seeds = table.difference("oracle", BASELINE), scores[BASELINE]
    sd = deviation(seeds)
    ratio = ratio_interval(gap, sd, len(seeds) - 1)
    remark = f"oracle − random = {gap.value:+.2f} [{gap.low:+.2f}, {gap.high:+.2f}], sd {sd:.2f}"
    if reaches := _reaches(ratio.low < LEAST_RATIO <= ratio.value, "below"):
        remark += f"; {reaches}"
    return Proof(
        "oracle",
        "(oracle − random) / sd(random)",
        ratio.value,
        f"at least {LEAST_RATIO:g}",
        f"{len(scores['oracle'])} and {len(seeds)}",
        bool(ratio.value >= LEAST_RATIO),
        remark,
        low=ratio.low,
        high=ratio.high,
    )


def dose_proof(part: str, table: RowTable, scores: Scores, names: Sequence[str]) -> Proof:
    """(3) Averages fall with the dose of noise, rise with coverage: Jonckheere's trend test.

    Args:
        part: ``noise`` or ``coverage``.
        table: of the study's rows.
        scores: of each row by seed.
        names: the rows in the order of their dose.
    """
    sign = -1.0 if part == "noise" else 1.0
    groups = [scores[name] for name in names]
    trend = rising_trend([[sign * value for value in group] for group in groups])
    means = [float(np.mean(group)) for group in groups]
    in_order = bool((np.diff(sign * np.array(means)) > 0).all())
    enough = len(groups) >= LEAST_DOSES
    ends = table.difference(names[-1], names[0]) if len(names) > 1 else None
    order = "means in strict order" if in_order else "means NOT in strict order"
    shown = ", ".join(f"{mean:.1f}" for mean in means)
    few = "" if enough else f"; fewer than {LEAST_DOSES} doses"
    return Proof(
        part,
        f"{names[-1]} − {names[0]}, points" if ends else f"{part}: doses",
        ends.value if ends else NAN,
        f"means in order, p < {ALPHA:g}",
        "/".join(str(len(group)) for group in groups),
        bool(enough and in_order and trend.p < ALPHA),
        f"{order}: {shown}; Jonckheere z {trend.z:.2f}{few}",
        low=ends.low if ends else NAN,
        high=ends.high if ends else NAN,
        p=trend.p,
    )


def _reaches(crosses: bool, where: str) -> str:
    return f"the interval reaches {where} the bound" if crosses else ""


def deviation_proof(averages: Sequence[float]) -> Proof:
    """(4) The seed deviation of random, with its chi-square interval."""
    sd, mean = deviation_interval(averages), mean_interval(averages)
    enough = len(averages) >= LEAST_SEEDS
    remark = f"mean {mean.value:.2f} [{mean.low:.2f}, {mean.high:.2f}]"
    if not enough:
        remark += f"; fewer than {LEAST_SEEDS} seeds"
    elif sd.high > MOST_DEVIATION:
        remark += f"; {_reaches(True, 'above')}"
    return Proof(
        "deviation",
        "sd(random) over seeds, points",
        sd.value,
        f"at most {MOST_DEVIATION:g}, {LEAST_SEEDS} seeds or more",
        str(len(averages)),
        bool(enough and sd.value <= MOST_DEVIATION),
        remark,
        low=sd.low,
        high=sd.high,
    )
