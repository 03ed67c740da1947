"""DiverseEvol: what is farthest from the subset in the space of the model trained on it."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from harness.common.errors import InputError
from harness.round_systems.loop import Ask, Observed, equal_sizes
from harness.samplers import SAMPLERS, Pool

Count = Annotated[int, Field(ge=1)]
Criterion = Literal["k_center", "least_confidence", "margin", "entropy"]


@dataclass(frozen=True, kw_only=True)
class DiverseEvol:
    """Take in rounds what is farthest from the subset in the space of the model trained on it.

    Self-evolved sampling (arXiv 2311.08182). It begins with ``initial`` instances at random. Each
    round trains from the base on all taken so far and adds those farthest from them, by k-center,
    in the mean-pooled last hidden states of that model over prompt and response.

    Attributes:
        rounds: how often is added, each time as many.
        initial: how many to begin with; None: as many as a round adds. Published: 100, and 10
            rounds of 100.
        space: ``current``: of the model trained last. ``static``: the pool's own embeddings, and
            nothing is trained.
        whiten: whiten the space to so many dimensions first; None: as it is.
        criterion: ``k_center``, or instances the model is least sure of: see
            ``harness.feedback.uncertainty``.
        feedback_epochs: how long a round trains; None: as the recipe of ``train`` says.
        warm_start: go on from the last round's model rather than from the base.
    """

    sampler: ClassVar[str] = "k_center"

    rounds: Count = 10
    initial: Count | None = None
    space: Literal["current", "static"] = "current"
    whiten: Count | None = None
    criterion: Criterion = "k_center"
    feedback_epochs: Count | None = None
    warm_start: bool = False

    def __post_init__(self) -> None:
        """Refuse a space for a criterion that reads none, and training where nothing is trained."""
        read = {"space": (self.space, "current"), "whiten": (self.whiten, None)}
        for knob, (value, default) in read.items():
            if self.criterion != "k_center" and value != default:
                raise InputError(
                    f"{knob}: criterion {self.criterion} reads the model's probabilities, no "
                    f"space: {value!r} would do nothing; remove it, or say criterion: k_center"
                )
        trained = {"feedback_epochs": self.feedback_epochs, "warm_start": self.warm_start or None}
        for knob, value in trained.items():
            if self.space == "static" and value is not None:
                raise InputError(
                    f"{knob}: space static trains nothing: {value!r} would do nothing; remove it, "
                    "or say space: current"
                )

    @property
    def needs(self) -> frozenset[str]:
        """Models that it trains, or the pool's own embeddings."""
        static = self.criterion == "k_center" and self.space == "static"
        return SAMPLERS[self.sampler].needs if static else frozenset({"models"})

    def sizes(self, budget: int) -> list[int]:
        """The initial instances, and what is left in ``rounds`` parts."""
        if self.initial is None:
            if not 1 <= self.rounds < budget:
                raise InputError(
                    f"rounds is {self.rounds}; a budget of {budget} instances takes a start and 1 "
                    f"to {budget - 1} rounds"
                )
            return equal_sizes(budget, self.rounds + 1)
        if not 1 <= self.initial < budget:
            raise InputError(
                f"initial is {self.initial}; the budget is {budget}: 1 to {budget - 1} instances"
            )
        left = budget - self.initial
        if not 1 <= self.rounds <= left:
            raise InputError(
                f"rounds is {self.rounds}; the budget of {budget} less initial, {self.initial}, is "
                f"{left}: 1 to {left} rounds, or a smaller initial"
            )
        return [self.initial, *equal_sizes(left, self.rounds)]

    def choose(self, pool: Pool, size: int, rng: np.random.Generator) -> np.ndarray:
        """At random where nothing is taken; then by the criterion."""
        if not len(pool.selected):
            return SAMPLERS["random"](pool, size, rng)
        if self.criterion != "k_center":
            return SAMPLERS["top_k"](pool, size, rng)
        return SAMPLERS[self.sampler](pool, size, rng)

    def observe(self, pool: Pool, newest: np.ndarray, ask: Ask) -> Observed:
        """The space of the trained model, or how unsure it is of each instance not yet taken."""
        if self.criterion == "k_center" and self.space == "static":
            return {}
        ask.train(
            newest if self.warm_start else pool.selected, self.feedback_epochs, self.warm_start
        )
        if self.criterion == "k_center":
            return ask.observe("embed", np.arange(pool.size))
        return ask.observe("uncertainty", pool.free(), criterion=self.criterion)

    def update(
        self, pool: Pool, newest: np.ndarray, observed: Observed
    ) -> tuple[Pool, dict[str, Any]]:
        """The pool in the model's space, or with its unsureness as quality."""
        if self.criterion != "k_center":
            return self._by_unsureness(pool, observed)
        space = pool.embeddings if self.space == "static" else observed["embeddings"]
        if self.whiten is not None and (observed or len(newest) == len(pool.selected)):
            # Once where the space is always the same.
            from harness.feedback.whitening import whiten

            space = whiten(space, self.whiten)
        return replace(pool, embeddings=space), {"dimensions": space.shape[1]}

    @staticmethod
    def _by_unsureness(pool: Pool, observed: Observed) -> tuple[Pool, dict[str, Any]]:
        values = observed["uncertainty"]
        quality = np.zeros(pool.size)
        # Margins are negative; only the order counts, and a quality may not be.
        quality[pool.free()] = values - values.min()
        return replace(pool, quality=quality), {"uncertainty_mean": float(values.mean())}
