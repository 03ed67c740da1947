"""The items behind a headline, and the variance that drawing them adds to a mean of theirs."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Grouping:
    """The items of each benchmark in groups; no group reaches over two benchmarks.

    Attributes:
        benchmark: (n,) number of each item's benchmark.
        group: (n,) number of each item's group, from 0 and without gaps.
    """

    benchmark: np.ndarray
    group: np.ndarray

    @cached_property
    def sizes(self) -> np.ndarray:
        """(benchmarks,) items of each."""
        return np.bincount(self.benchmark)

    @cached_property
    def counts(self) -> np.ndarray:
        """(groups,) items of each."""
        return np.bincount(self.group)

    @cached_property
    def home(self) -> np.ndarray:
        """(groups,) the benchmark of each."""
        return self.benchmark[np.unique(self.group, return_index=True)[1]]

    @cached_property
    def groups(self) -> np.ndarray:
        """(benchmarks,) groups of each."""
        return np.bincount(self.home)

    def variance_within(self, residuals: np.ndarray) -> tuple[float, float]:
        """Variance of the sum of residuals (n,) by deviations within groups, and its df.

        A group of one item has no deviation from itself: its item is compared with the benchmark,
        whose residuals have mean 0.
        """
        means = np.bincount(self.group, residuals) / self.counts
        deviations = residuals - np.where(self.counts == 1, 0.0, means)[self.group]
        df = np.maximum(self.sizes - self.groups, 1)
        return _total(np.bincount(self.benchmark, deviations**2) * self.sizes / df, df)

    def variance_over(self, residuals: np.ndarray) -> tuple[float, float]:
        """Variance of the sum of residuals (n,) by the sums of groups, and its df."""
        df = self.groups - 1
        squares = np.bincount(self.home, np.bincount(self.group, residuals) ** 2)
        return _total(squares * self.groups / df, df)


def _total(parts: np.ndarray, df: np.ndarray) -> tuple[float, float]:
    """The sum of independent variances and its degrees of freedom. Source: Satterthwaite 1946."""
    total = float(parts.sum())
    return total, total**2 / float((parts**2 / df).sum()) if total > 0 else float(df.sum())


@dataclass(frozen=True)
class Items:
    """The items of a headline's benchmarks, one benchmark after the other.

    The headline is a weighted mean of benchmarks, a benchmark the weighted mean of its items:
    answers weigh 1, bits per byte weigh their bytes.

    Attributes:
        benchmark: (n,) number of each item's benchmark, from 0 and without gaps.
        weight: (n,) positive.
        cluster: (n,) number of each item's cluster, -1 where it has none; two benchmarks share
            no cluster.
        share: (benchmarks,) weight of each benchmark in the headline; they sum to 1.
    """

    benchmark: np.ndarray
    weight: np.ndarray
    cluster: np.ndarray
    share: np.ndarray

    @classmethod
    def even(cls, benchmark: np.ndarray, cluster: np.ndarray | None = None) -> Self:
        """Items of equal weight in benchmarks of equal weight."""
        if cluster is None:
            cluster = np.full(len(benchmark), -1)
        count = int(benchmark.max()) + 1
        return cls(benchmark, np.ones(len(benchmark)), cluster, np.full(count, 1 / count))

    @cached_property
    def slopes(self) -> np.ndarray:
        """(n,) what one unit of an item's score adds to the headline."""
        totals = np.bincount(self.benchmark, self.weight)
        return (self.share / totals)[self.benchmark] * self.weight

    def benchmark_means(self, scores: np.ndarray) -> np.ndarray:
        """(benchmarks,) the mean of each, of scores (n,)."""
        return np.bincount(self.benchmark, self.slopes * scores) / self.share

    def residuals(self, scores: np.ndarray, means: np.ndarray) -> np.ndarray:
        """(..., n) linearised: what each item adds to the headline beyond its benchmark's mean."""
        return self.slopes * (scores - means[self.benchmark])

    @cached_property
    def within(self) -> Grouping:
        """Items by cluster, for "these skills, new items"; what has none is by benchmark.

        So is a cluster of one item, which shows no spread.
        """
        alone = self.cluster < 0
        alone |= np.bincount(self.cluster + 1)[self.cluster + 1] == 1
        codes = np.where(alone, self.benchmark, self.cluster + len(self.share))
        return Grouping(self.benchmark, np.unique(codes, return_inverse=True)[1])

    @cached_property
    def over(self) -> Grouping | None:
        """Clusters by benchmark, for "new skills"; an item without one is its own.

        None where no item has a cluster, or a benchmark has a single one.
        """
        own = self.cluster.max() + 1 + np.arange(len(self.cluster))
        codes = np.where(self.cluster < 0, own, self.cluster)
        grouping = Grouping(self.benchmark, np.unique(codes, return_inverse=True)[1])
        known = (self.cluster >= 0).any() and (grouping.groups > 1).all()
        return grouping if known else None
