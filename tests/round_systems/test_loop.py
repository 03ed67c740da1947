"""The loop of rounds and its systems, on arrays: what is asked when, and what follows from it."""

from typing import Any

import numpy as np
import pytest

from harness.common.errors import InputError
from harness.feedback.weights import cluster_scores, instance_scores, new_weights
from harness.round_systems import ROUND_SYSTEMS
from harness.round_systems.diverse_evol import DiverseEvol
from harness.round_systems.kmq_iterative import KmqIterative
from harness.round_systems.loop import Round, RoundSystem, equal_sizes, run_rounds
from harness.samplers import SAMPLERS, Pool
from tests.helpers.round_diary import Diary, clustered_pool


def taken(rounds: list[Round]) -> list[int]:
    return np.concatenate([one.picks for one in rounds]).tolist()


@pytest.mark.parametrize("name", ROUND_SYSTEMS)
@pytest.mark.parametrize("budget", [12, 13, 60])
def test_every_system_takes_the_budget_once(name: str, budget: int) -> None:
    pool = clustered_pool()
    system: RoundSystem = ROUND_SYSTEMS[name](rounds=3)
    runs = []
    for seed in (1, 1, 2):
        rng = np.random.default_rng(7)
        spaces = [rng.normal(size=(60, 5)).astype(np.float32) for _ in range(4)]
        diary = Diary(rng.random(60), rng.random(60), spaces)
        runs.append(taken(run_rounds(system, pool, budget, seed, diary)))
        assert len(set(runs[-1])) == len(runs[-1]) == budget
        # Nothing is trained or asked after the last round.
        assert max(number for number, *_ in diary.asked) == len(diary.rounds) - 1
    assert runs[0] == runs[1]
    if budget < 60:
        assert runs[0] != runs[2]


def test_iterative_kmq_follows_its_equations() -> None:
    pool = clustered_pool()
    assert pool.clusters is not None
    labels = pool.clusters[0]
    gold = np.where(labels == 0, 0.9, 0.5)  # only the first cluster is not learnt
    generated = np.full(60, 0.5)
    diary = Diary(gold, generated)
    rounds = run_rounds(KmqIterative(rounds=3, temperature=0.2), pool, 30, 5, diary)
    first = SAMPLERS["kmq"](pool, 10, np.random.default_rng([5, 1]))
    np.testing.assert_array_equal(rounds[0].picks, first)
    scores = cluster_scores(instance_scores(gold, generated)[first], labels[first], 3)
    weights = new_weights(np.full(3, 1 / 3), scores, temperature=0.2)
    np.testing.assert_allclose(rounds[0].report["weights"], weights)
    assert rounds[1].weights is not None
    assert rounds[2].weights is not None
    np.testing.assert_allclose(rounds[1].weights, weights)
    # e^(0.4 / 0.2) to 1 to 1: 7.87, 1.07 and 1.07 of ten.
    np.testing.assert_array_equal(np.bincount(labels[rounds[1].picks]), [8, 1, 1])
    # The second round's weights are the first's times the same factors.
    again = new_weights(weights, scores, temperature=0.2)
    np.testing.assert_allclose(rounds[2].weights, again)
    # 9.6 of ten for the first cluster, which has 20 less 4 less 8: the others give the rest.
    np.testing.assert_array_equal(np.bincount(labels[rounds[0].picks]), [4, 3, 3])
    np.testing.assert_array_equal(np.bincount(labels[rounds[2].picks]), [8, 1, 1])
    trained = [entry for entry in diary.asked if entry[1] == "train"]
    assert [len(entry[2]) for entry in trained] == [10, 20]
    assert {entry[3:] for entry in trained} == {(1, False)}
    answered = [entry for entry in diary.asked if entry[1] == "answer"]
    assert [len(entry[2]) for entry in answered] == [10, 20]


def test_knobs_of_iterative_kmq() -> None:
    pool = clustered_pool(n=90)
    assert pool.clusters is not None
    labels = np.minimum(pool.clusters[0] * (np.arange(90) < 30), 2)  # of unequal size
    pool = Pool(pool.embeddings, pool.quality, (labels, pool.clusters[1]))
    even = Diary(np.ones(90), np.zeros(90))
    with_even = KmqIterative(rounds=2, first_round="uniform", feedback_on="newest", warm_start=True)
    rounds = run_rounds(with_even, pool, 18, 0, even)
    np.testing.assert_array_equal(np.bincount(labels[rounds[0].picks]), [3, 3, 3])
    np.testing.assert_allclose(rounds[0].report["weights_before"], np.full(3, 1 / 3))
    assert even.asked[0][2:] == (sorted(rounds[0].picks.tolist()), 1, True)
    # One constant: the weights stay, and the run says so.
    assert rounds[0].notes == ["every cluster scored 1, so scores change no weight"]
    learnt = KmqIterative(rounds=2, direction="learnt", temperature=0.1)
    diary = Diary(np.where(labels == 2, 1.0, 0.0), np.zeros(90))
    turned = run_rounds(learnt, pool, 30, 0, diary)
    assert turned[0].report["weights"][2] < turned[0].report["weights_before"][2]


def test_scores_that_are_not_there_are_left_out_and_said() -> None:
    pool = clustered_pool()
    gold = np.random.default_rng(3).random(60)
    gold[::2] = np.nan
    gold[1] = np.inf
    rounds = run_rounds(KmqIterative(rounds=2), pool, 40, 0, Diary(gold, np.zeros(60)))
    lost = rounds[0].report["left_out"]
    assert lost > 0
    assert f"{lost} of 20 instances have no score; they are left out" in rounds[0].notes
    assert np.isfinite(rounds[0].report["weights"]).all()
    nothing = Diary(np.full(60, np.nan), np.zeros(60))
    rounds = run_rounds(KmqIterative(rounds=2), pool, 40, 0, nothing)
    assert "no cluster was scored; the weights stay as they were" in rounds[0].notes


def test_diverse_evol_is_k_center_in_the_current_space() -> None:
    pool = clustered_pool()
    rng = np.random.default_rng(1)
    spaces = [rng.normal(size=(60, 4)).astype(np.float32) for _ in range(2)]
    diary = Diary(spaces=spaces)
    rounds = run_rounds(DiverseEvol(rounds=2, initial=10), pool, 20, 9, diary)
    assert [len(one.picks) for one in rounds] == [10, 5, 5]
    start = SAMPLERS["random"](pool, 10, np.random.default_rng([9, 1]))
    np.testing.assert_array_equal(rounds[0].picks, start)
    second = SAMPLERS["k_center"](Pool(spaces[0], selected=start), 5, rng)
    np.testing.assert_array_equal(rounds[1].picks, second)
    so_far = np.concatenate([start, second])
    third = SAMPLERS["k_center"](Pool(spaces[1], selected=so_far), 5, rng)
    np.testing.assert_array_equal(rounds[2].picks, third)
    # From the base on all so far, by the recipe's own epochs; the whole pool is embedded.
    assert diary.asked[0] == (1, "train", sorted(start.tolist()), None, False)
    assert diary.asked[1][:3] == (1, "embed", list(range(60)))
    assert len(diary.asked[2][2]) == 15


def test_static_diverse_evol_asks_nothing() -> None:
    pool = clustered_pool()
    diary = Diary()
    rounds = run_rounds(DiverseEvol(rounds=2, initial=10, space="static"), pool, 20, 9, diary)
    assert diary.asked == []
    start = SAMPLERS["random"](pool, 10, np.random.default_rng([9, 1]))
    again = SAMPLERS["k_center"](
        Pool(pool.embeddings, selected=start), 10, np.random.default_rng(0)
    )
    assert taken(rounds) == [*start.tolist(), *again.tolist()]


@pytest.mark.parametrize("criterion", ["least_confidence", "margin", "entropy"])
def test_other_criteria_take_what_the_model_is_least_certain_of(criterion: Any) -> None:  # noqa: ANN401
    pool = clustered_pool()
    diary = Diary()
    system = DiverseEvol(rounds=1, initial=10, criterion=criterion)
    rounds = run_rounds(system, pool, 16, 9, diary)
    free = sorted(set(range(60)) - set(rounds[0].picks.tolist()))
    assert rounds[1].picks.tolist() == free[:6]
    assert diary.asked[1][:3] == (1, "uncertainty", free)
    assert diary.asked[1][3] == {"criterion": criterion}


def test_sizes() -> None:
    assert equal_sizes(10, 3) == [4, 3, 3]
    assert DiverseEvol(rounds=10, initial=100).sizes(1100) == [100] * 11
    assert DiverseEvol(rounds=5).sizes(600) == [100] * 6


@pytest.mark.parametrize("system", [KmqIterative(rounds=3), DiverseEvol(rounds=2)])
def test_a_budget_above_the_pool_is_reported_before_any_round(system: RoundSystem) -> None:
    diary = Diary()
    with pytest.raises(InputError, match=r"^budget is 61; 1 to 60 instances can be taken"):
        run_rounds(system, clustered_pool(60), 61, 0, diary)
    assert not diary.rounds
    assert not diary.asked


@pytest.mark.parametrize(
    ("system", "message"),
    [
        (KmqIterative(rounds=11), "rounds is 11; a budget of 10 instances takes 1 to 10 rounds"),
        (KmqIterative(rounds=0), "rounds is 0; a budget of 10 instances takes 1 to 10 rounds"),
        (DiverseEvol(rounds=10), "rounds is 10; a budget of 10 instances takes a start and 1 to 9"),
        (DiverseEvol(initial=10), "initial is 10; the budget is 10: 1 to 9 instances"),
        (DiverseEvol(initial=0), "initial is 0; the budget is 10"),
        (
            DiverseEvol(initial=4, rounds=7),
            "rounds is 7; the budget of 10 less initial, 4, is 6: 1 to 6 rounds, or a smal",
        ),
    ],
)
def test_rounds_that_cannot_be(system: RoundSystem, message: str) -> None:
    with pytest.raises(InputError, match=message):
        run_rounds(system, clustered_pool(), 10, 0, Diary())
