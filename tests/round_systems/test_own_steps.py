"""What a system does itself between phases: its notes, its threads, what it refuses."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from harness.common.errors import InputError
from harness.round_systems.diverse_evol import DiverseEvol
from harness.round_systems.kmq_iterative import KmqIterative
from harness.round_systems.loop import Ask, Observed, RoundSystem, run_rounds
from harness.samplers import Pool
from tests.helpers.round_diary import Diary, clustered_pool


@dataclass
class Noisy(Diary):
    """Warns while it trains, as a library would."""

    def train(self, rows: np.ndarray, epochs: int | None, warm: bool) -> None:
        warnings.warn("a library's own", UserWarning, stacklevel=1)
        super().train(rows, epochs, warm)


def test_notes_are_the_systems_own() -> None:
    """A phase that a resumed run finds done does not warn: its warnings would differ."""
    diary = Noisy(np.ones(60), np.zeros(60))
    with pytest.warns(UserWarning, match="a library's own"):
        rounds = run_rounds(KmqIterative(rounds=2), clustered_pool(), 12, 0, diary)
    assert rounds[0].notes == ["every cluster scored 1, so scores change no weight"]


def test_what_a_system_does_itself_is_done_on_one_thread() -> None:
    """Sums in another order could turn a tie; what a model is trained on is its own affair."""
    used: dict[str, int] = {}

    def threads() -> int:
        return max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")

    class Watched(DiverseEvol):
        def choose(self, pool: Pool, size: int, rng: np.random.Generator) -> np.ndarray:
            used["choose"] = threads()
            return super().choose(pool, size, rng)

        def observe(self, pool: Pool, newest: np.ndarray, ask: Ask) -> Observed:
            used["observe"] = threads()
            return super().observe(pool, newest, ask)

        def update(
            self, pool: Pool, newest: np.ndarray, observed: Observed
        ) -> tuple[Pool, dict[str, Any]]:
            used["update"] = threads()
            return super().update(pool, newest, observed)

    spaces = [np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)]
    with threadpool_limits(2):
        run_rounds(Watched(rounds=1, whiten=3), clustered_pool(), 12, 0, Diary(spaces=spaces))
    assert used == {"choose": 1, "observe": 2, "update": 1}


@pytest.mark.parametrize(
    ("system", "message"),
    [
        (
            KmqIterative(min_per_cluster=2),
            r"round 1 \(takes 4 of the budget, 12\): min_per_cluster is 2: 3 clusters need 6",
        ),
        (
            DiverseEvol(rounds=2, whiten=9),
            r"round 1 \(takes 4 of the budget, 12\): dims is 9; 60 rows of 4 numbers",
        ),
        (
            KmqIterative(temperature=0),
            r"round 1 \(takes 4 of the budget, 12\): temperature is 0; it must be above 0",
        ),
    ],
)
def test_what_a_round_refuses_is_reported_with_its_number(
    system: RoundSystem, message: str
) -> None:
    x = np.random.default_rng(1).normal(size=(60, 4)).astype(np.float32)
    diary = Diary(np.ones(60), np.zeros(60), [x, x])
    with pytest.raises(InputError, match=message):
        run_rounds(system, clustered_pool(), 12, 0, diary)
