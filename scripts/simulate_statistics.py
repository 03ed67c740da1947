"""Simulate tables whose truth is known, and write the method's error rates and power.

    python -m scripts.simulate_statistics [--tables 10000]

writes the table of docs/statistics.md. A table has a baseline and nine rows, five of them with the
same subset for every seed; six benchmarks of 165 items in 17 clusters each. A score is the sum of
the row, the item, the row on the item, the seed, and the seed on the item: in points, with the
sizes that they have in the lab.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from harness.statistics.differences import ALPHA, Difference, RowTable, Runs, holm
from harness.statistics.items import Items

PAGE = Path(__file__).resolve().parent.parent / "docs" / "statistics.md"
BEGIN, END = "<!-- table: scripts/simulate_statistics.py -->\n", "<!-- end of table -->\n"
ROWS = 9
FIXED = 5  # of the rows
BENCHMARKS, CLUSTERS, ITEMS = 6, 17, 165
# Deviations of a row's and of a run's score on an item, as measured on the lab's main table.
ON_ITEM, RUN_ON_ITEM = 12.0, 33.0
SHIFTS = (3.0, 5.0, 8.0)


@dataclass(frozen=True)
class World:
    """Where a table's scores come from; deviations over seeds are in points of the headline."""

    name: str
    same: float = 1.0  # deviation over seeds of rows with one subset for all seeds
    by_seed: float = 1.0  # and of the others
    cluster: float = 0.0  # deviation of a row's score in a cluster
    new_skills: bool = False  # the truth is over clusters not seen, else over those of the table
    heavy: bool = False  # errors of seeds and items are t with 3 degrees of freedom


WORLDS = (
    World("equal variances"),
    World("unequal variances", same=0.3, by_seed=1.4),
    World("clustered, these skills", same=0.3, by_seed=1.4, cluster=11.0),
    World("clustered, new skills", same=0.3, by_seed=1.4, cluster=11.0, new_skills=True),
    World("heavy tails", heavy=True),
)


@dataclass(frozen=True)
class Rates:
    """What a method did in many tables whose rows are all truly equal to the baseline.

    Attributes:
        coverage: of the 95% interval, all rows.
        worst: the lower coverage of the two kinds of rows.
        family: tables in which any row was called different.
        power: by shift: how often one row, shifted so far, is called different.
    """

    coverage: float
    worst: float
    family: float
    power: tuple[float, ...]


@cache
def items_of(world: World) -> Items:
    """Six benchmarks, their clusters as even as their items allow."""
    benchmark = np.repeat(np.arange(BENCHMARKS), ITEMS)
    within = np.tile(np.arange(ITEMS) % CLUSTERS, BENCHMARKS)
    return Items.even(benchmark, benchmark * CLUSTERS + within if world.cluster else None)


def simulated(world: World, seeds: tuple[int, int], rng: np.random.Generator) -> RowTable:
    """A table in which every row is equal to the baseline; seeds of the baseline, and of others."""

    def errors(deviation: float, *shape: int) -> np.ndarray:
        if world.heavy:
            return deviation / np.sqrt(3) * rng.standard_t(3, shape)
        return deviation * rng.standard_normal(shape, dtype=np.float32)

    items = items_of(world)
    n = len(items.benchmark)
    rows = {}
    for number in range(ROWS + 1):
        fixed = 0 < number <= FIXED
        count = seeds[0] if number == 0 else seeds[1]
        scores = errors(ON_ITEM, 1, n) + errors(RUN_ON_ITEM, count, n)
        scores += errors(world.same if fixed else world.by_seed, count, 1)
        if world.cluster:
            effects = errors(world.cluster, BENCHMARKS * CLUSTERS)
            on_items = effects[items.cluster]
            if not world.new_skills:  # these skills: their effects are part of the truth, here 0
                on_items = items.residuals(on_items, items.benchmark_means(on_items)) / items.slopes
            scores += on_items
        rows[str(number)] = Runs(scores.astype(np.float64), fixed, "main")
    return RowTable(items, rows, "main")


def outcomes(world: World, seeds: tuple[int, int], tables: int, seed: int) -> np.ndarray:
    """Of each table, what it says: (tables, rows, 2 + shifts).

    Covered; called different; and called different if shifted by each of `SHIFTS`.
    """
    rng = np.random.default_rng([seed, WORLDS.index(world), *seeds])
    said = np.empty((tables, ROWS, 2 + len(SHIFTS)), dtype=bool)
    names = [str(number + 1) for number in range(ROWS)]
    for table in said:
        rows = simulated(world, seeds, rng)
        result = [rows.difference(name, "0") for name in names]
        ps = [_p(one, world, 0.0) for one in result]
        table[:, 0] = [p >= ALPHA for p in ps]  # the interval holds 0 where p is not below 5%
        table[:, 1] = np.array(holm(ps)) < ALPHA
        for row, one in enumerate(result):
            for place, shift in enumerate(SHIFTS):
                moved = [*ps[:row], _p(one, world, shift), *ps[row + 1 :]]
                table[row, 2 + place] = holm(moved)[row] < ALPHA
    return said


def _p(one: Difference, world: World, shift: float) -> float:
    """The p of a difference, had the row been better by ``shift``."""
    from scipy import special

    se, df = (one.skills_se, one.skills_df) if world.new_skills else (one.se, one.df)
    return 2 * float(special.stdtr(df, -abs(one.value + shift) / se))


def rates(world: World, seeds: tuple[int, int], tables: int, seed: int = 0) -> Rates:
    """Coverage, family-wise error and power over so many tables."""
    said = outcomes(world, seeds, tables, seed)
    covered = said[:, :, 0].mean(axis=0)
    kinds = covered[:FIXED].mean(), covered[FIXED:].mean()
    power = said[:, :, 2:].mean(axis=(0, 1))
    any_called = said[:, :, 1].any(axis=1).mean()
    return Rates(float(covered.mean()), float(min(kinds)), float(any_called), tuple(power.tolist()))


def every_case(tables: int, seed: int = 0) -> Iterator[tuple[World, tuple[int, int], Rates]]:
    """Each world with 3, 5 and 8 seeds, and with 8 of the baseline beside 3 of the others."""
    cases = [(world, seeds) for world in WORLDS for seeds in ((3, 3), (8, 3), (5, 5), (8, 8))]
    with ProcessPoolExecutor() as pool:
        jobs = [pool.submit(rates, world, seeds, tables, seed) for world, seeds in cases]
        for (world, seeds), job in zip(cases, jobs, strict=True):
            yield world, seeds, job.result()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table and write it into the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tables", type=int, default=10_000, help="simulated a case (10000)")
    tables = parser.parse_args(arguments).tables
    heads = ["scores", "seeds of the baseline, of others", "coverage", "of the worse kind of row"]
    heads += ["family-wise error", *(f"power +{shift:g}" for shift in SHIFTS)]
    lines = [f"| {' | '.join(heads)} |", "| --- | --- |" + " ---: |" * (len(heads) - 2)]
    for world, seeds, one in every_case(tables):
        shares = [one.coverage, one.worst, one.family, *one.power]
        cells = [world.name, f"{seeds[0]}, {seeds[1]}", *(f"{100 * share:.1f}" for share in shares)]
        lines.append(f"| {' | '.join(cells)} |")
        sys.stdout.write(lines[-1] + "\n")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    body = "\n".join(lines)
    PAGE.write_text(f"{before}{BEGIN}\n{body}\n\n{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
