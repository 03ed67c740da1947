"""The laws that the random samplers draw by: all outcomes enumerated, 20,000 draws counted."""

from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import combinations, permutations
from math import factorial, prod

import numpy as np
import pytest
from scipy.stats import chisquare

from harness.samplers import SAMPLERS
from tests.helpers.sampler_pools import clustered, take

DRAWS = 20_000
Law = Callable[[list[float], int], dict[tuple[int, ...], float]]


def in_sequence(weights: list[float], count: int) -> dict[tuple[int, ...], float]:
    """One after the other without replacement: w_i over what is left."""
    results = {}
    for order in permutations(range(len(weights)), count):
        left, chance = sum(weights), 1.0
        for i in order:
            chance *= weights[i] / left
            left -= weights[i]
        results[order] = chance
    return results


def given_distinct(weights: list[float], count: int) -> dict[tuple[int, ...], float]:
    """With replacement, given that the draws differ."""
    sets = {s: prod(weights[i] for i in s) for s in combinations(range(len(weights)), count)}
    total = sum(sets.values()) * factorial(count)
    return {order: w / total for s, w in sets.items() for order in permutations(s)}


def uniform(weights: list[float], count: int) -> dict[tuple[int, ...], float]:
    """Without a look at the weights."""
    return in_sequence([1.0] * len(weights), count)


def softmax(weights: list[float], count: int) -> dict[tuple[int, ...], float]:
    return in_sequence([float(np.exp(w)) for w in weights], count)


# 400 clusters alike: each gives two of its four free instances, so one call is 400 draws.
CLUSTERS, SHARE = 400, 2
WEIGHTS = [1.0, 2.0, 0.5, 1.2]
POOL = clustered(
    np.repeat(np.arange(CLUSTERS), 5).tolist(),
    [*WEIGHTS, 9.0] * CLUSTERS,
    selected=range(4, 5 * CLUSTERS, 5),
)


@cache
def drawn(key: str, *params: tuple[str, object]) -> np.ndarray:
    """(draws, 2): which of its four each cluster gave, in order."""
    rng = np.random.default_rng(11)
    results = []
    for _ in range(DRAWS // CLUSTERS):
        picks = SAMPLERS[key](POOL, SHARE * CLUSTERS, rng, **dict(params))
        # Stable: within a cluster the order of the draws stays.
        results.append(picks[np.argsort(picks // 5, kind="stable")].reshape(CLUSTERS, SHARE) % 5)
    return np.concatenate(results)


def p_value(result: np.ndarray, law: dict[tuple[int, ...], float]) -> float:
    """Chi-square of rows drawn against the probability of each."""
    assert sum(law.values()) == pytest.approx(1)
    counts = Counter(tuple(row) for row in result.tolist())
    assert set(counts) <= set(law)
    expected = np.array(list(law.values())) * len(result)
    assert expected.min() > 5
    return float(chisquare([counts[order] for order in law], expected).pvalue)


TRUE_LAWS = [
    ("km_random", (), uniform),
    ("kmq", (), in_sequence),
    ("kmq", (("weighting", "softmax"),), softmax),
    ("kmq", (("replacement", True),), given_distinct),
]


@pytest.mark.parametrize(("key", "params", "law"), TRUE_LAWS)
def test_draws_follow_the_law(key: str, params: tuple, law: Law) -> None:
    # With the seed fixed, one in a thousand is no flake: it passes always or never.
    assert p_value(drawn(key, *params), law(WEIGHTS, SHARE)) > 1e-3


@pytest.mark.parametrize(("key", "params", "law"), TRUE_LAWS)
def test_draws_follow_no_other_law(key: str, params: tuple, law: Law) -> None:
    for other in (uniform, in_sequence, softmax, given_distinct):
        if other is not law:
            assert p_value(drawn(key, *params), other(WEIGHTS, SHARE)) < 1e-9


@pytest.mark.parametrize(("key", "params", "law"), TRUE_LAWS)
def test_clusters_draw_independently(key: str, params: tuple, law: Law) -> None:
    first = drawn(key, *params)[:, 0]
    alone = {
        i: sum(p for order, p in law(WEIGHTS, SHARE).items() if order[0] == i) for i in range(4)
    }
    pairs = {(i, j): p * q for i, p in alone.items() for j, q in alone.items()}
    assert p_value(first.reshape(-1, 2), pairs) > 1e-3


def test_repeating_draws_until_enough_differ_is_drawing_without_replacement() -> None:
    # Why replacement=True is not that: it would change nothing.
    rng, chances = np.random.default_rng(5), np.array(WEIGHTS) / sum(WEIGHTS)
    stream = iter(rng.choice(4, p=chances, size=5 * DRAWS).tolist())
    results = []
    for _ in range(DRAWS):
        seen: dict[int, None] = {}
        while len(seen) < SHARE:
            seen[next(stream)] = None
        results.append(list(seen))
    assert p_value(np.array(results), in_sequence(WEIGHTS, SHARE)) > 1e-3
    assert p_value(np.array(results), given_distinct(WEIGHTS, SHARE)) < 1e-9


def test_zeros_come_last_under_softmax_too() -> None:
    # exp(0) = 1 would have them drawn before one of 0.01 every second time.
    pool = clustered([0] * 4, [0.0, 0.01, 0.0, 0.02])
    for replacement in (False, True):
        for seed in range(50):
            picks = take("kmq", pool, 3, seed, weighting="softmax", replacement=replacement)
            assert set(picks[:2].tolist()) == {1, 3}


@pytest.mark.parametrize("replacement", [False, True])
def test_zeros_are_drawn_uniformly_among_themselves(replacement: bool) -> None:
    pool = clustered([0] * 5, [0.0, 3.0, 0.0, 1.0, 0.0])
    first, zeros = np.zeros(5), np.zeros(5)
    for seed in range(3000):
        picks = take("kmq", pool, 3, seed, replacement=replacement)
        first[picks[0]] += 1
        zeros[picks[2]] += 1
    assert zeros[[1, 3]].tolist() == [0, 0]
    assert chisquare(zeros[[0, 2, 4]]).pvalue > 1e-3
    # The two others come first, in the order of the law (all are taken: any order is as likely
    # when it is given that draws with replacement differ).
    expected = [1500, 1500] if replacement else [2250, 750]
    assert chisquare(first[[1, 3]], expected).pvalue > 1e-3


def test_all_zero_is_uniform() -> None:
    pool = clustered([0] * 4, [0.0] * 4)
    counts = np.zeros(4)
    for seed in range(2000):
        counts[take("kmq", pool, 1, seed)] += 1
    assert chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize(
    ("quality", "certain", "never"),
    [
        ([0.5, 1e8, 1.0, 2.0, 0.0], [1], [4]),  # the second by its weight among 0.5, 1 and 2
        ([1.0, 2000.0, 4000.0, 1e12], [2, 3], [0, 1]),
        ([1.0, 2.0, 2.5, 5000.0, 5001.0, 5002.0], [], [0, 1, 2]),
        ([1e300, 1.0, 1e299, 3e299], [0], [1]),
    ],
)
def test_weights_of_any_width_are_drawn_by(
    quality: list[float], certain: list[int], never: list[int]
) -> None:
    """The draws end; near-certain ones count as certain."""
    pool = clustered([0] * len(quality), quality)
    counts = np.zeros(len(quality))
    for seed in range(300):
        counts[take("kmq", pool, 2, seed, replacement=True, weighting="softmax")] += 1
    assert (counts[certain] == 300).all()
    assert (counts[never] == 0).all()
    assert counts.sum() == 600


def test_what_is_far_off_leaves_the_law_of_the_others_as_it_is() -> None:
    alone = clustered([0] * 4, [1.0, 2.0, 0.5, 1.2])
    beside = clustered([0] * 6, [1.0, 2.0, 0.5, 1.2, 1e8, 1e9])
    for weights, pool, count in ((alone, alone, 2), (alone, beside, 4)):
        law = given_distinct([float(np.exp(q)) for q in (1.0, 2.0, 0.5, 1.2)], 2)
        sets = {tuple(sorted(order)): 0.0 for order in law}
        for order, chance in law.items():
            sets[tuple(sorted(order))] += chance
        results = []
        for seed in range(2000):
            picks = take("kmq", pool, count, seed, replacement=True, weighting="softmax")
            results.append(sorted(i for i in picks.tolist() if i < weights.size))
        assert p_value(np.array(results), sets) > 1e-3
