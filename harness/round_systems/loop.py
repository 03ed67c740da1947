"""The loop of feedback-driven selection: choose -> train -> observe -> update.

A system decides how many instances each round takes, which ones, what to observe of a model trained
on them, and how that changes the next choice. Training and observing are phases
(``harness/rounds/phases.py``); each runs once, is kept, and is reused when a run resumes.
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
# The conversations that phases other than training gave to a model.
MODEL_CALLS = ("generated", "scored", "embedded")


class Ask(Protocol):
    """The phases of one round: training a model on instances, and observing it on instances."""

    def train(self, rows: np.ndarray, epochs: int | None, warm: bool) -> None:
        """Train on these instances, from the base or (``warm``) the previous round's model."""

    def observe(self, phase: str, rows: np.ndarray, **settings: Any) -> Observed:  # noqa: ANN401
        """Observations of the last trained model on these instances: arrays by name."""
        ...


class RoundSystem(Protocol):
    """A feedback-driven selection system; its knobs are its fields."""

    sampler: ClassVar[str]  # the one it chooses by, which decides the form of the embeddings

    @property
    def needs(self) -> frozenset[str]:
        """What it reads, of ``harness.samplers.NEEDS``, and `models` if it trains."""
        ...

    def sizes(self, budget: int) -> list[int]:
        """How many instances each round takes, in order; they sum to the budget."""
        ...

    def choose(self, pool: Pool, size: int, rng: np.random.Generator) -> np.ndarray:
        """The next instances, (size,) int64; the first round's if nothing is selected yet."""
        ...

    def observe(self, pool: Pool, newest: np.ndarray, ask: Ask) -> Observed:
        """Train on what is selected and observe the model; ``newest`` are this round's picks."""
        ...

    def update(
        self, pool: Pool, newest: np.ndarray, observed: Observed
    ) -> tuple[Pool, dict[str, Any]]:
        """The pool as the next round sees it, and the round's report."""
        ...


@dataclass(frozen=True)
class Round:
    """A finished round."""

    number: int  # from 1
    picks: np.ndarray  # (size,) int64, what it took
    weights: np.ndarray | None = None  # (k,) of the clusters, by which it took them, if any
    observed: Observed = field(default_factory=dict)  # of the model trained after it, if any
    report: dict[str, Any] = field(default_factory=dict)  # the system's own numbers
    notes: list[str] = field(default_factory=list)  # the system's warnings
    seconds: float = 0.0  # this process's own: next to none for phases that were done before


class Journal(Protocol):
    """The store of rounds, and of phases as they run."""

    def ask(self, number: int) -> Ask:
        """The phases of a round."""
        ...

    def ended(self, finished: Round) -> None:
        """Keep a round."""


def run_rounds(
    system: RoundSystem, pool: Pool, budget: int, seed: int, journal: Journal
) -> list[Round]:
    """Select ``budget`` instances in rounds; nothing is trained or asked after the last.

    Each round draws from its own generator, seeded by the seed and its number: a resumed run
    chooses as an undisturbed one. What ``pool`` has selected already stays selected.

    Raises InputError for a budget over what the pool holds, and, with the round's number, for what
    a sampler or an update refuses.
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
        report: dict[str, Any] = {}
        if number < len(sizes):
            # Warnings of phases are not noted: a resumed run would lack those of phases already
            # done.
            observed = system.observe(pool, picks, journal.ask(number))
            with _own_steps(where, notes):
                pool, report = system.update(pool, picks, observed)
        seconds = time.perf_counter() - begun
        rounds.append(Round(number, picks, weights, observed, report, notes, seconds))
        journal.ended(rounds[-1])
    return rounds


@contextmanager
def _own_steps(where: str, notes: list[str]) -> Iterator[None]:
    """Run on one thread, add warnings to ``notes``, and name the round, ``where``, in errors."""
    from threadpoolctl import threadpool_limits

    try:
        # One thread: sums in another order could decide a tie otherwise.
        with threadpool_limits(1), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            yield
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None
    notes += [str(it.message) for it in caught if it.category is UserWarning]


def equal_sizes(budget: int, rounds: int) -> list[int]:
    """The budget in so many parts, the first ones larger by one if it does not divide evenly."""
    if not 1 <= rounds <= budget:
        rule = f"a budget of {budget} instances takes 1 to {budget} rounds"
        raise InputError(f"rounds is {rounds}; {rule}")
    part, more = divmod(budget, rounds)
    return [part + (i < more) for i in range(rounds)]


def check_idle(knob: str, value: object, default: object, rule: str, remedy: str) -> None:
    """Raise InputError for a knob that is set although, by the rule, nothing reads it."""
    if value != default:
        idle = f"{rule}: {value!r} would do nothing"
        raise InputError(f"{knob}: {idle}; remove it, or say {remedy}")
