"""Differences between rows, against the formulas written out in loops and against limit cases."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from harness.statistics.differences import (
    ALPHA,
    Difference,
    RowTable,
    Runs,
    corrected,
    holm,
)
from harness.statistics.items import Items

rng: np.random.Generator


@pytest.fixture(autouse=True)
def _own_draws() -> None:
    """Each test draws the same, whichever ran before."""
    global rng
    rng = np.random.default_rng(1)


bench = np.repeat([0, 1, 2], [12, 20, 9])
skill = np.concatenate([np.arange(12) % 4, 4 + np.arange(20) % 5, 9 + np.arange(9) % 3])


def runs(seeds: int, fixed: bool = False, mean: float = 0.0, spread: float = 1.0) -> Runs:
    scores = mean + spread * rng.normal(size=(seeds, 1)) + rng.normal(size=(seeds, len(bench)))
    return Runs(scores, fixed, "main")


def table(rows: dict[str, Runs], items: Items | None = None) -> RowTable:
    return RowTable(items or Items.even(bench), rows, "main")


def usual() -> dict[str, Runs]:
    rows = {f"same{i}": runs(3, fixed=True, spread=0.3) for i in range(3)}
    return rows | {"random": runs(8)} | {f"varied{i}": runs(3, mean=i) for i in range(3)}


def headline(scores: np.ndarray) -> float:
    return float(np.mean([scores[bench == b].mean() for b in range(3)]))


def test_the_value_is_the_difference_of_the_means_over_all_seeds() -> None:
    rows = usual()
    result = table(rows).difference("varied1", "random")
    ours, theirs = (
        np.mean([headline(one) for one in rows[name].scores]) for name in ("varied1", "random")
    )
    assert isinstance(result, Difference)
    assert result.value == pytest.approx(ours - theirs)


def test_standard_error_and_df_are_those_of_the_formulas() -> None:
    rows = usual()
    result = table(rows).difference("same1", "random")
    averages = {name: [headline(s) for s in row.scores] for name, row in rows.items()}
    strata = {
        True: [n for n in rows if rows[n].fixed],
        False: [n for n in rows if not rows[n].fixed],
    }
    pooled, df = {}, {}
    for fixed, names in strata.items():
        df[fixed] = sum(len(averages[n]) - 1 for n in names)
        squares = sum((len(averages[n]) - 1) * np.var(averages[n], ddof=1) for n in names)
        pooled[fixed] = squares / df[fixed]
    interaction = {}
    for fixed, names in strata.items():
        parts = 0.0
        for n in names:
            rho = 0.0
            for b in range(3):
                mine = rows[n].scores[:, bench == b]
                rho += np.mean(np.var(mine, axis=0, ddof=1)) / mine.shape[1] / 9
            parts += (len(rows[n].scores) - 1) * rho
        interaction[fixed] = parts / df[fixed]
    gap = rows["same1"].scores.mean(axis=0) - rows["random"].scores.mean(axis=0)
    of_items = [np.var(gap[bench == b], ddof=1) / (bench == b).sum() / 9 for b in range(3)]
    item_df = sum(of_items) ** 2 / sum(
        part**2 / ((bench == b).sum() - 1) for b, part in enumerate(of_items)
    )
    item = max(0.0, sum(of_items) - interaction[True] / 3 - interaction[False] / 8)
    parts = [(pooled[True] / 3, df[True]), (pooled[False] / 8, df[False]), (item, item_df)]
    total = sum(value for value, _ in parts)
    assert result.se == pytest.approx(np.sqrt(total))
    assert result.item_se == pytest.approx(np.sqrt(item))
    assert result.df == pytest.approx(total**2 / sum(v**2 / d for v, d in parts if v))
    half = stats.t.ppf(1 - ALPHA / 2, result.df) * result.se
    assert (result.low, result.high) == pytest.approx((result.value - half, result.value + half))
    assert result.p == pytest.approx(2 * stats.t.sf(abs(result.value) / result.se, result.df))
    spread = np.sqrt(pooled[True] + pooled[False])
    assert result.chance == pytest.approx(stats.norm.cdf(result.value / spread))


def test_seed_variances_of_one_stratum_are_one_term() -> None:
    rows = {"a": runs(3), "b": runs(3), "c": runs(3)}
    # Items without any difference leave the seeds alone: 6 df, and not twice 6.
    for name in rows:
        mean = rows[name].scores.mean(axis=1, keepdims=True)
        rows[name] = Runs(np.repeat(mean, len(bench), axis=1), False, "main")
    assert table(rows).difference("a", "b").df == pytest.approx(6)


@pytest.mark.parametrize("benchmark", range(3))
def test_variance_within_clusters_is_that_of_deviations(benchmark: int) -> None:
    share = np.zeros(3)
    share[benchmark] = 1
    items = Items(bench, np.ones(len(bench)), skill, np.maximum(share, 1e-12))
    gap = rng.normal(size=len(bench))
    here = bench == benchmark
    value, df = items.within.variance_within(items.residuals(gap, items.benchmark_means(gap)))
    clusters = np.unique(skill[here])
    squares = sum(((gap[skill == k] - gap[skill == k].mean()) ** 2).sum() for k in clusters)
    assert df == pytest.approx(here.sum() - len(clusters))
    assert value == pytest.approx(squares / df / here.sum())


def test_variance_over_even_clusters_is_that_of_their_means() -> None:
    benchmark, cluster = np.zeros(20, dtype=int), np.arange(20) % 5
    items = Items.even(benchmark, cluster)
    gap = rng.normal(size=20)
    assert items.over is not None
    value, df = items.over.variance_over(items.residuals(gap, items.benchmark_means(gap)))
    means = [gap[cluster == k].mean() for k in range(5)]
    assert (value, df) == (pytest.approx(np.var(means, ddof=1) / 5), pytest.approx(4))


def test_a_cluster_of_one_item_is_compared_with_its_benchmark() -> None:
    cluster = np.array([0, 0, 0, 1, 2, 2])
    items = Items.even(np.zeros(6, dtype=int), cluster)
    gap = np.array([1.0, 2.0, 3.0, 9.0, 4.0, 6.0])
    value, df = items.within.variance_within(items.residuals(gap, items.benchmark_means(gap)))
    squares = 2.0 + (9 - gap.mean()) ** 2 + 2.0
    assert (value, df) == (pytest.approx(squares / 3 / 6), pytest.approx(3))


@pytest.mark.parametrize("cluster", [None, np.zeros(41, dtype=int)])
def test_without_clusters_to_separate_there_is_one_interval(cluster: np.ndarray | None) -> None:
    result = table(usual(), Items.even(bench, cluster)).difference("same1", "random")
    assert np.isnan(result.skills_se)


def test_a_gap_of_one_cluster_may_be_the_composition() -> None:
    items = Items.even(np.zeros(60, dtype=int), np.arange(60) % 6)
    base = rng.normal(scale=0.2, size=(8, 60))
    ahead = rng.normal(scale=0.2, size=(8, 60)) + 6.0 * (items.cluster == 0)
    even = rng.normal(scale=0.2, size=(8, 60)) + 1.0
    rows = {n: Runs(s, False, "main") for n, s in {"b": base, "x": ahead, "y": even}.items()}
    result = RowTable(items, rows, "main")
    x, y = (result.difference(name, "b") for name in "xy")
    assert x.low > 0 > x.value - x.skills_half
    assert y.value - y.skills_half > 0


def test_a_ratio_has_the_variance_of_its_linearised_residuals() -> None:
    """Bits over bytes: the delta method, written out, and many draws of items."""
    weight = rng.uniform(1, 9, size=4000)
    score = rng.normal(2, 1, size=4000) + weight / 5
    items = Items(np.zeros(4000, dtype=int), weight, np.full(4000, -1), np.ones(1))
    mean = items.benchmark_means(score)
    assert mean[0] == pytest.approx((weight * score).sum() / weight.sum())
    value, _ = items.within.variance_within(items.residuals(score, mean))
    residuals = weight * (score - mean[0]) / weight.mean()
    assert value == pytest.approx(np.var(residuals, ddof=1) / 4000)
    drawn = rng.integers(4000, size=(2000, 4000))
    ratios = (weight * score)[drawn].sum(axis=1) / weight[drawn].sum(axis=1)
    assert np.sqrt(value) == pytest.approx(ratios.std(), rel=0.06)


def test_strata_of_few_degrees_are_merged() -> None:
    rows = {"random": runs(3), "varied": runs(3), "same": runs(3, fixed=True)}
    strata = table(rows).strata
    assert strata[True] is strata[False]
    assert strata[True].df == 6
    more = table(rows | {"same2": runs(3, fixed=True)}).strata
    assert more[True] is not more[False]


def test_with_too_few_seeds_there_is_an_interval_and_no_verdict() -> None:
    result = table({"a": runs(2), "b": runs(2)}).difference("a", "b")
    result = corrected({"a": result})["a"]
    assert np.isfinite([result.low, result.high]).all()
    assert np.isnan([result.p, result.holm]).all()
    single = table({"a": runs(1), "b": runs(1)}).difference("a", "b")
    assert np.isfinite([single.low, single.high]).all()
    assert np.isnan(single.p)
    assert single.seeds.source == "unknown"


def test_a_row_of_outlying_variance_keeps_its_own() -> None:
    rows = {f"r{i}": runs(5, spread=0.5) for i in range(4)} | {"wild": runs(5, spread=30)}
    result = table(rows)
    assert result.outliers == {"wild"}
    assert result.seed_variance("wild").source == "own"
    assert result.seed_variance("wild").df == 4
    assert result.strata[False].df == 16
    steady = table({f"r{i}": runs(5, spread=0.5) for i in range(4)})
    assert steady.outliers == set()


def test_a_row_of_another_budget_is_not_pooled() -> None:
    rows = usual()
    before = table(rows).strata[True]
    one = Runs(runs(1, fixed=True).scores, True, "all")
    three = Runs(runs(3, fixed=True).scores, True, "all")
    result = table(rows | {"one": one, "three": three})
    assert result.strata[True] == before
    assert result.seed_variance("one") == before
    assert result.seed_variance("three").source == "own"


def test_a_row_of_one_seed_has_the_variance_of_its_stratum() -> None:
    result = table(usual() | {"single": runs(1)})
    assert result.seed_variance("single") is result.strata[False]
    assert result.difference("single", "random").p > 0


def test_the_untrained_model_has_no_seed_variance() -> None:
    none = Runs(runs(1).scores, True, "main", trained=False)
    result = table(usual() | {"none": none})
    assert result.seed_variance("none").value == 0
    assert result.strata[True].df == 6  # of three rows of three seeds
    assert result.difference("none", "random").se > 0


def test_two_rows_compare_the_same_either_way() -> None:
    result = table(usual())
    one, other = result.difference("varied2", "random"), result.difference("random", "varied2")
    assert other.value == -one.value
    assert (other.se, other.df, other.p) == pytest.approx((one.se, one.df, one.p))
    assert other.chance == pytest.approx(1 - one.chance)
    assert one.above + other.above == 3


def test_a_lower_headline_can_be_the_better_one() -> None:
    rows = usual()
    higher = RowTable(Items.even(bench), rows, "main").difference("varied2", "random")
    lower = RowTable(Items.even(bench), rows, "main", sign=-1).difference("varied2", "random")
    assert lower.value == higher.value
    assert (lower.above, lower.chance) == (3 - higher.above, pytest.approx(1 - higher.chance))


def test_a_row_that_equals_the_baseline_is_not_different() -> None:
    rows = usual()
    result = table(rows | {"again": rows["random"]}).difference("again", "random")
    assert result.value == 0
    assert result.p == 1


def test_the_unit_of_the_scores_does_not_matter() -> None:
    rows = usual()
    percent = {n: Runs(100 * r.scores, r.fixed, r.budget, r.trained) for n, r in rows.items()}
    one, other = (table(r).difference("varied1", "random") for r in (rows, percent))
    assert other.value == pytest.approx(100 * one.value)
    assert other.se == pytest.approx(100 * one.se)
    assert (other.df, other.p, other.chance) == pytest.approx((one.df, one.p, one.chance))


def test_a_family_is_corrected_by_holm() -> None:
    names = ["same0", "same1", "varied0", "varied2"]
    result = table(usual())
    family = corrected({name: result.difference(name, "random") for name in names})
    ps = [result.difference(name, "random").p for name in names]
    assert [family[name].holm for name in names] == holm(ps)
    for one in family.values():
        assert one.critical == pytest.approx(stats.t.ppf(1 - ALPHA / 2 / 4, one.df))
        assert one.detectable == pytest.approx((one.critical + stats.t.ppf(0.8, one.df)) * one.se)


def test_rows_of_the_same_models_count_once() -> None:
    rows = {name: replace(row, models=name) for name, row in usual().items()}
    alone = table(rows)
    both = table(rows | {"twin": rows["varied1"]})
    assert both.strata == alone.strata
    assert both.difference("twin", "random") == alone.difference("varied1", "random")
    loud = replace(runs(3, spread=40.0), models="loud")
    assert table(rows | {"loud": loud, "twin": loud}).outliers == {"loud", "twin"}


def test_holm_by_hand() -> None:
    nan = float("nan")
    result = holm([0.01, nan, 0.04, 0.03, 0.005])
    assert result[0] == pytest.approx(0.03)
    assert np.isnan(result[1])
    assert result[2:] == pytest.approx([0.06, 0.06, 0.02])
    # In order 0.01 x 4, 0.02 x 3, 0.03 x 2, 0.5; NaN is not counted, and none is below the last.
    result = holm([0.03, 0.01, float("nan"), 0.5, 0.02])
    assert result[:2] + result[3:] == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert np.isnan(result[2])
    assert holm([0.4, 0.6]) == pytest.approx([0.8, 0.8])
    assert holm([0.7, 0.8]) == [1.0, 1.0]
