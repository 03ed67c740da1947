"""Differences of a table's rows from a baseline, with runs and items crossed.

Seeds and items are both samples. The variance over seeds is pooled over the rows of one budget, in
two strata; that over items is of the differences between two rows on the same items. Closed form:
the same scores give the same interval. docs/statistics.md has the method's error rates and power.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self, TypeVar

import numpy as np

from harness.statistics.items import Items

ALPHA = 0.05
POWER = 0.8
LEAST_DF = 4  # of a pooled seed variance; with fewer, strata are merged, then nothing is decided
OUTLYING = 0.99  # quantile of F beyond which a row keeps its own seed variance
NAN, INF = float("nan"), float("inf")
K = TypeVar("K")
E = TypeVar("E", bound="Estimate")


@dataclass(frozen=True)
class Runs:
    """A row of a table: scores by seed and item.

    Attributes:
        scores: (seeds, n), items in the table's order.
        fixed: every seed has the same subset, so that only training varies.
        budget: rows of one budget share their seed variance.
        trained: False for the base model as it is: no seed enters.
        models: rows with the same are the same models and count once; None: no other row's.
    """

    scores: np.ndarray
    fixed: bool
    budget: Hashable
    trained: bool = True
    models: Hashable = None


@dataclass(frozen=True)
class SeedVariance:
    """Variance of one run's headline over seeds.

    Attributes:
        value: the variance; NaN where no row has two seeds.
        df: its degrees of freedom.
        interaction: the run-by-item variance of a mean over items, already part of ``value``.
        source: the stratum, ``own``, ``none`` (no seed enters), or ``unknown``.
    """

    value: float
    df: float
    interaction: float
    source: str


UNTRAINED = SeedVariance(0.0, np.inf, 0.0, "none")
UNKNOWN = SeedVariance(NAN, 0.0, 0.0, "unknown")


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A difference between a row and a baseline, in the headline's unit.

    Attributes:
        value: that of the row minus that of the baseline.
        low: of the 95% interval.
        high: of the same.
        p: two-sided; NaN where there is too little to decide.
        se: standard error.
        df: degrees of freedom of ``se``.
        holm: ``p`` corrected for its family; NaN outside of one.
        critical: the t that the first step of Holm's correction asks for; NaN outside of a family.
    """

    value: float
    low: float
    high: float
    p: float
    se: float
    df: float
    holm: float = NAN
    critical: float = NAN

    @property
    def detectable(self) -> float:
        """The smallest difference that the family's test finds with 80% power."""
        from scipy import special

        return (self.critical + float(special.stdtrit(self.df, POWER))) * self.se


@dataclass(frozen=True, kw_only=True)
class Difference(Estimate):
    """Means over all seeds compared; the interval is over new seeds and new items of these skills.

    Attributes:
        item_se: the part of ``se`` that comes from items.
        skills_se: standard error over new skills; NaN where items have none.
        skills_df: degrees of freedom of ``skills_se``.
        above: benchmarks in which the row is better.
        chance: that one run of the row beats one of the baseline on these items.
        seeds: the seed variance of the row.
    """

    item_se: float
    skills_se: float
    skills_df: float
    above: float
    chance: float
    seeds: SeedVariance

    @property
    def skills_half(self) -> float:
        """Half of the 95% interval over new skills; NaN where items have none."""
        from scipy import special

        return float(special.stdtrit(self.skills_df, 1 - ALPHA / 2)) * self.skills_se


@dataclass(frozen=True)
class _Fit:
    """What a row's scores say before rows are compared."""

    headline: float
    benchmarks: np.ndarray  # (benchmarks,) means over seeds
    residuals: np.ndarray  # (n,) of the mean over seeds
    df: int
    variance: float
    interaction: float


class RowTable:
    """Rows over the same items; every difference between two of them is judged alike."""

    def __init__(
        self, items: Items, rows: Mapping[str, Runs], budget: Hashable, sign: int = 1
    ) -> None:
        """Take the rows.

        Args:
            items: of the headline.
            rows: by name.
            budget: the main one, whose seed variance stands in for that of a row of another
                budget with fewer than three seeds.
            sign: 1 where a higher headline is better, -1 where a lower one is.
        """
        self.items, self.rows, self.budget, self.sign = items, rows, budget, sign
        self._fits = {name: _fit(items, row) for name, row in rows.items()}

    def at(self, budget: Hashable) -> Self:
        """The same rows, judged by the seed variances of another budget."""
        return type(self)(self.items, self.rows, budget, self.sign)

    @cached_property
    def strata(self) -> dict[bool, SeedVariance]:
        """Seed variances by `fixed`, pooled over rows of the main budget; one where both merge."""
        return self._pooled[0]

    @cached_property
    def outliers(self) -> set[str]:
        """Rows whose seed variance lies beyond the 99% point of F; each keeps its own."""
        return self._pooled[1]

    @cached_property
    def _pooled(self) -> tuple[dict[bool, SeedVariance], set[str]]:
        groups: dict[bool, list[str]] = {True: [], False: []}
        first: dict[Hashable, str] = {}
        for name, row in self.rows.items():
            pooled = row.budget == self.budget and row.trained and self._fits[name].df
            if pooled and first.setdefault(row.models or name, name) == name:
                groups[row.fixed].append(name)
        if min(sum(self._fits[n].df for n in names) for names in groups.values()) < LEAST_DF:
            pools = [("all", [*groups[True], *groups[False]], (True, False))]
        else:
            pools = [("same subset", groups[True], (True,))]
            pools += [("subset by seed", groups[False], (False,))]
        strata: dict[bool, SeedVariance] = {}
        outliers: set[str] = set()
        for source, names, kinds in pools:
            out = {name for name in names if self._is_outlying(name, names)}
            rest = [name for name in names if name not in out]
            strata |= dict.fromkeys(kinds, self._pool(rest, source) if rest else UNKNOWN)
            outliers |= out
        twins = {name for name, row in self.rows.items() if first.get(row.models) in outliers}
        return strata, outliers | twins

    def _pool(self, names: Sequence[str], source: str) -> SeedVariance:
        fits = [self._fits[name] for name in names]
        df = sum(fit.df for fit in fits)
        value, interaction = (
            sum(fit.df * part for fit, part in zip(fits, parts, strict=True)) / df
            for parts in ([f.variance for f in fits], [f.interaction for f in fits])
        )
        return SeedVariance(value, df, interaction, source)

    def _is_outlying(self, name: str, names: Sequence[str]) -> bool:
        """Whether a row varies more over seeds than the others of its stratum."""
        from scipy import special

        others = [other for other in names if other != name]
        if sum(self._fits[other].df for other in others) < LEAST_DF:
            return False
        rest, own = self._pool(others, ""), self._fits[name]
        return own.variance > float(special.fdtri(own.df, rest.df, OUTLYING)) * rest.value

    def seed_variance(self, name: str) -> SeedVariance:
        """The variance over seeds by which a row is judged."""
        row, fit = self.rows[name], self._fits[name]
        if not row.trained:
            return UNTRAINED
        own = SeedVariance(fit.variance, fit.df, fit.interaction, "own")
        if name in self.outliers or (row.budget != self.budget and fit.df >= 2):
            return own
        return self.strata[row.fixed or row.budget != self.budget]

    def difference(self, name: str, baseline: str) -> Difference:
        """The difference between two rows, its p not corrected."""
        from scipy import special

        ours, theirs = self._fits[name], self._fits[baseline]
        seeds = self.seed_variance(name), self.seed_variance(baseline)
        counts = ours.df + 1, theirs.df + 1
        own = sum(s.interaction / n for s, n in zip(seeds, counts, strict=True))
        parts = [(s.value / n, s.df) for s, n in zip(seeds, counts, strict=True)]
        if seeds[0] is seeds[1]:
            parts = [(parts[0][0] + parts[1][0], seeds[0].df)]
        gaps = ours.residuals - theirs.residuals
        gap = ours.headline - theirs.headline
        se, item_se, df = _standard_error(parts, self.items.within.variance_within(gaps), own)
        half = float(special.stdtrit(df, 1 - ALPHA / 2)) * se
        over = self.items.over
        skills_se, _, skills_df = (
            _standard_error(parts, over.variance_over(gaps), own) if over else (NAN, NAN, NAN)
        )
        decidable = se > 0 and all(s.df >= LEAST_DF or s.source == "own" for s in seeds)
        spread = float(np.sqrt(sum(s.value for s in seeds)))
        better = self.sign * (ours.benchmarks - theirs.benchmarks) > 0
        return Difference(
            value=gap,
            low=gap - half,
            high=gap + half,
            p=2 * float(special.stdtr(df, -abs(gap) / se)) if decidable else NAN,
            se=se,
            item_se=item_se,
            df=df,
            skills_se=skills_se,
            skills_df=skills_df,
            above=int(better.sum()),
            chance=float(special.ndtr(self.sign * gap / spread)) if spread else NAN,
            seeds=seeds[0],
        )


def corrected(differences: Mapping[K, E]) -> dict[K, E]:
    """The differences of a declared family, their p-values corrected together."""
    from scipy import special

    ps = holm([one.p for one in differences.values()])
    tested = sum(p == p for p in ps)
    level = 1 - ALPHA / 2 / max(tested, 1)
    return {
        # Without a degree of freedom, no t is large enough.
        key: replace(one, holm=p, critical=float(special.stdtrit(one.df, level)) if one.df else INF)
        for (key, one), p in zip(differences.items(), ps, strict=True)
    }


def _fit(items: Items, row: Runs) -> _Fit:
    mean = row.scores.mean(axis=0)
    benchmarks = items.benchmark_means(mean)
    df = len(row.scores) - 1
    variance = interaction = 0.0
    if df:
        variance = float((row.scores @ items.slopes).var(ddof=1))
        # Residuals are from means over seeds, which drop out of a variance over seeds.
        interaction = float(((row.scores - mean) ** 2).sum(axis=0) @ items.slopes**2) / df
    residuals = items.residuals(mean, benchmarks)
    return _Fit(float(mean @ items.slopes), benchmarks, residuals, df, variance, interaction)


def _standard_error(
    seeds: Sequence[tuple[float, float]], items: tuple[float, float], own: float
) -> tuple[float, float, float]:
    """Standard error of a difference, the items' part of it, and degrees of freedom.

    Args:
        seeds: variances over seeds with their df.
        items: the variance over items with its df.
        own: the run-by-item variance in it, already part of the variances over seeds.
    """
    item = max(0.0, items[0] - own)
    parts = [(value, df) for value, df in (*seeds, (item, items[1])) if value > 0]
    total = sum(value for value, _ in parts)
    if not total:
        return 0.0, 0.0, np.inf
    df = total**2 / max(sum(value**2 / df for value, df in parts), 1e-300)
    return float(np.sqrt(total)), float(np.sqrt(item)), df


def holm(ps: Sequence[float]) -> list[float]:
    """P-values corrected for their number; NaN stays NaN and is not counted.

    Source: Holm 1979.
    """
    known = sorted((p, i) for i, p in enumerate(ps) if p == p)
    corrected, least = [NAN] * len(ps), 0.0
    for rank, (p, i) in enumerate(known):
        least = max(least, min(1.0, (len(known) - rank) * p))
        corrected[i] = least
    return corrected
