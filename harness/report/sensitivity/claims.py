"""The claims that the lab tells subsets apart: a number, a bound, and whether it holds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.common.errors import InputError
from harness.params.params import Params
from harness.report.shared.comparable import compare
from harness.report.shared.runs import BASELINE, Row, cells_by_row, read_row
from harness.report.shared.statistics import (
    ALPHA,
    deviation,
    deviation_interval,
    mean_interval,
    rising_trend,
)
from harness.report.shared.study_table import checked, row_difference
from harness.suites import Suite, load_suite

# What the lab must show, in points of the average, and the evidence it needs.
LEAST_GAIN = 20.0
LEAST_RATIO = 5.0
MOST_DEVIATION = 2.0
LEAST_SEEDS = 8
LEAST_DOSES = 3
NAN = float("nan")
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
    rows = {row.name: row for row in compared}
    scores = {name: row.scores(suite.headline) for name, row in rows.items()}
    levels = [Level("rows", name, NAN, scores[name]) for name in FIXED]
    for part, listed in doses.items():
        levels += [Level(part, name, dose, scores[name]) for dose, name in listed]
    proofs = [
        gain_proof(suite, rows),
        ratio_proof(suite, rows),
        dose_proof("noise", [scores[name] for _, name in doses["noise"]], falls=True),
        dose_proof("coverage", [scores[name] for _, name in doses["coverage"]], falls=False),
        deviation_proof(scores[BASELINE]),
    ]
    return Sensitivity(suite, proofs, levels, compared)


def _doses(params: Params, names: list[str], part: str) -> list[tuple[float, str]]:
    references = {name: params.references[name] for name in names if name in params.references}
    listed = [(item.share, name) for name, item in references.items() if item.rows == part]
    return sorted((share, name) for share, name in listed if share is not None)


def gain_proof(suite: Suite, rows: dict[str, Row]) -> Proof:
    """(1) What training on the whole clean pool gains over no training."""
    gap = row_difference(suite, rows["full_clean"], rows["none"])
    return Proof(
        "gain",
        "full_clean − none, points",
        gap.value,
        f"at least {LEAST_GAIN:g}",
        f"{len(rows['full_clean'].seeds)} and {len(rows['none'].seeds)}",
        bool(gap.value >= LEAST_GAIN),
        low=gap.low,
        high=gap.high,
    )


def ratio_proof(suite: Suite, rows: dict[str, Row]) -> Proof:
    """(2) An oracle subset of the same budget against random, in seed deviations of random."""
    gap = row_difference(suite, rows["oracle"], rows[BASELINE])
    sd = deviation(rows[BASELINE].scores(suite.headline))
    ratio = gap.value / sd if sd > 0 else NAN
    return Proof(
        "oracle",
        "(oracle − random) / sd(random)",
        ratio,
        f"at least {LEAST_RATIO:g}",
        f"{len(rows['oracle'].seeds)} and {len(rows[BASELINE].seeds)}",
        bool(ratio >= LEAST_RATIO),
        f"oracle − random = {gap.value:+.2f} [{gap.low:+.2f}, {gap.high:+.2f}], sd {sd:.2f}",
    )


def dose_proof(part: str, groups: Sequence[Sequence[float]], falls: bool) -> Proof:
    """(3) Averages fall with the dose of noise, rise with coverage: Jonckheere's trend test."""
    sign = -1.0 if falls else 1.0
    trend = rising_trend([[sign * value for value in group] for group in groups])
    means = [float(np.mean(group)) for group in groups]
    in_order = bool((np.diff(sign * np.array(means)) > 0).all())
    enough = len(groups) >= LEAST_DOSES
    word = "falls with the share of noise" if falls else "rises with the skills reached"
    order = "means in strict order" if in_order else "means NOT in strict order"
    shown = ", ".join(f"{mean:.1f}" for mean in means)
    return Proof(
        part,
        f"average {word}, Jonckheere z",
        trend.z,
        f"in order, p < {ALPHA:g}",
        "/".join(str(len(group)) for group in groups),
        bool(enough and in_order and trend.p < ALPHA),
        f"{order}: {shown}" + ("" if enough else f"; fewer than {LEAST_DOSES} doses"),
        p=trend.p,
    )


def deviation_proof(averages: Sequence[float]) -> Proof:
    """(4) The seed deviation of random, with its chi-square interval."""
    sd, mean = deviation_interval(averages), mean_interval(averages)
    enough = len(averages) >= LEAST_SEEDS
    remark = f"mean {mean.value:.2f} [{mean.low:.2f}, {mean.high:.2f}]"
    if not enough:
        remark += f"; fewer than {LEAST_SEEDS} seeds"
    elif sd.high > MOST_DEVIATION:
        remark += "; the interval reaches above the bound"
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
