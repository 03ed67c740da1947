"""The loop of feedback-driven selection: choose -> train -> observe -> update.

A system (``harness/round_systems/``) says how many instances each round takes, which, what is asked
of a model trained on them, and what follows from the answer. What is asked are phases
(``harness/rounds/phases.py``); each is run once, kept, and found again by who resumes.
"""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

import numpy as np

from harness.common.errors import InputError
from harness.samplers import Pool

Observed = dict[str, np.ndarray]
# What phases count of the conversations that a model was given, besides training.
MODEL_CALLS = ("generated", "scored", "embedded")


class Ask(Protocol):
    """Runs phases of one round: trains a model on instances, and asks it about instances."""

    def train(self, rows: np.ndarray, epochs: int | None, warm: bool) -> None:
        """Train on these instances, from the base or (``warm``) from the round before's model."""
        ...

    def observe(self, phase: str, rows: np.ndarray, **settings: Any) -> Observed:  # noqa: ANN401
        """What the model trained last shows on these instances: arrays by name."""
        ...


class RoundSystem(Protocol):
    """A feedback-driven selection system; its knobs are its fields.

    Attributes:
        sampler: the one it chooses by: rows come to it as to that.
    """

    sampler: ClassVar[str]

    @property
    def needs(self) -> frozenset[str]:
        """What it reads, in the words of ``harness.samplers.NEEDS``, and `models` if it trains."""
        ...

    def sizes(self, budget: int) -> list[int]:
        """How many instances each round takes, in order; they sum to the budget."""
        ...

    def choose(self, pool: Pool, size: int, rng: np.random.Generator) -> np.ndarray:
        """The next instances, (size,) int64; the first round's where nothing is selected."""
        ...

    def observe(self, pool: Pool, newest: np.ndarray, ask: Ask) -> Observed:
        """What is asked of a model once ``newest`` are taken too."""
        ...

    def update(
        self, pool: Pool, newest: np.ndarray, observed: Observed
    ) -> tuple[Pool, dict[str, Any]]:
        """The pool as the next round sees it, and what the report is told."""
        ...


@dataclass(frozen=True)
class Round:
    """A finished round.

    Attributes:
        number: from 1.
        picks: (size,) int64, what it took.
        weights: (k,) of the clusters, by which it took them; None where there were none.
        observed: what the model trained after it showed; empty in the last round.
        told: what the system says of it.
        notes: what the system warned of.
        seconds: what this process took for it: next to nothing for a phase that was found done.
    """

    number: int
    picks: np.ndarray
    weights: np.ndarray | None = None
    observed: Observed = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Journal(Protocol):
    """Where rounds are kept as they end, and phases as they are asked for."""

    def ask(self, number: int) -> Ask:
        """What a round asks with."""
        ...

    def ended(self, found: Round) -> None:
        """Keep a round."""
        ...


def run_rounds(
    system: RoundSystem, pool: Pool, budget: int, seed: int, journal: Journal
) -> list[Round]:
    """Select ``budget`` instances in rounds; nothing is trained or asked after the last.

    Each round draws from a generator of its own, seeded by the seed and its number: one that goes
    on after a kill chooses what an undisturbed one would have.

    Args:
        system: with its knobs.
        pool: as the first round sees it; what is selected already stays so.
        budget: how many to take in all.
        seed: the run's.
        journal: keeps what is finished.

    Raises:
        InputError: a budget that the pool does not hold; what a sampler, or the update of a round,
            refuses, with the round's number.
    """
    if not 1 <= budget <= (free := len(pool.free())):
        raise InputError(f"budget is {budget}; 1 to {free} instances can be taken of the pool")
    rounds: list[Round] = []
    sizes = system.sizes(budget)
    for number, size in enumerate(sizes, start=1):
        begun = time.perf_counter()
        rng = np.random.default_rng([seed, number])
        notes: list[str] = []
        where = f"round {number} (takes {size} of the budget, {budget})"
        with _own_steps(where, notes):
            picks = system.choose(pool, size, rng)
        weights = pool.cluster_weights
        pool = replace(pool, selected=np.concatenate([pool.selected, picks]))
        observed: Observed = {}
        told: dict[str, Any] = {}
        if number < len(sizes):
            # Outside: a phase that is found done warns of nothing, so that what its libraries warn
            # of would be a note of runs that were not killed only.
            observed = system.observe(pool, picks, journal.ask(number))
            with _own_steps(where, notes):
                pool, told = system.update(pool, picks, observed)
        seconds = time.perf_counter() - begun
        rounds.append(Round(number, picks, weights, observed, told, notes, seconds))
        journal.ended(rounds[-1])
    return rounds


@contextmanager
def _own_steps(where: str, notes: list[str]) -> Iterator[None]:
    """What a system does itself: on one thread, its warnings kept, what it refuses told in a line.

    Args:
        where: the round, for what is refused.
        notes: the warnings are added to them.
    """
    from threadpoolctl import threadpool_limits

    try:
        # One thread: sums in another order could turn a tie.
        with threadpool_limits(1), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            yield
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None
    notes += [str(it.message) for it in caught if it.category is UserWarning]


def equal_sizes(budget: int, rounds: int) -> list[int]:
    """The budget in so many parts, the first ones larger by one where it does not go even."""
    if not 1 <= rounds <= budget:
        raise InputError(
            f"rounds is {rounds}; a budget of {budget} instances takes 1 to {budget} rounds"
        )
    part, more = divmod(budget, rounds)
    return [part + (i < more) for i in range(rounds)]
