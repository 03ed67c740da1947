"""DiverseEvol: add what is farthest from the subset in the space of the model trained on it."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from harness.common.errors import InputError
from harness.round_systems.loop import Ask, Observed, check_idle, equal_sizes
from harness.samplers import SAMPLERS, Pool

Count = Annotated[int, Field(ge=1)]
Criterion = Literal["k_center", "least_confidence", "margin", "entropy"]


@dataclass(frozen=True, kw_only=True)
class DiverseEvol:
    """Add in rounds what is farthest from the subset in the space of the model trained on it.

    Self-evolved sampling (arXiv 2311.08182). It begins with ``initial`` random instances. Each
    round trains from the base on all taken so far and adds those farthest from them, by k-center,
    in the mean-pooled last hidden states of that model over prompt and response.
    """

    sampler: ClassVar[str] = "k_center"

    rounds: Count = 10  # additions, of equal size
    # To begin with; None: as many as a round adds. Published: 100, and 10 rounds of 100.
    initial: Count | None = None
    # `current`: of the last trained model; `static`: the pool's own embeddings, without training.
    space: Literal["current", "static"] = "current"
    whiten: Count | None = None  # whiten the space to so many dimensions first, if given
    criterion: Criterion = "k_center"  # or one of `harness.feedback.uncertainty`
    feedback_epochs: Count | None = None  # None: as `train` says
    warm_start: bool = False  # train the last round's model further rather than the base

    def __post_init__(self) -> None:
        """Refuse a space for a criterion that reads none, and training knobs without training."""
        if self.criterion != "k_center":
            rule = f"criterion {self.criterion} reads the model's probabilities, no space"
            check_idle("space", self.space, "current", rule, "criterion: k_center")
            check_idle("whiten", self.whiten, None, rule, "criterion: k_center")
        if self.space == "static":
            rule = "space static trains nothing"
            check_idle("feedback_epochs", self.feedback_epochs, None, rule, "space: current")
            check_idle("warm_start", self.warm_start, False, rule, "space: current")

    @property
    def needs(self) -> frozenset[str]:
        """`models`, or what k-center needs where nothing is trained."""
        static = self.criterion == "k_center" and self.space == "static"
        return SAMPLERS[self.sampler].needs if static else frozenset({"models"})

    def sizes(self, budget: int) -> list[int]:
        """The initial instances, and the rest in ``rounds`` parts."""
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
        """At random first; then by the criterion."""
        if not len(pool.selected):
            return SAMPLERS["random"](pool, size, rng)
        sampler = self.sampler if self.criterion == "k_center" else "top_k"
        return SAMPLERS[sampler](pool, size, rng)

    def observe(self, pool: Pool, newest: np.ndarray, ask: Ask) -> Observed:
        """The trained model's space, or its uncertainty of each instance not yet taken."""
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
        """The pool in the model's space, or with its uncertainty as quality."""
        if self.criterion != "k_center":
            values = observed["uncertainty"]
            quality = np.zeros(pool.size)
            # Margins are negative, as no quality may be; only their order counts.
            quality[pool.free()] = values - values.min()
            return replace(pool, quality=quality), {"uncertainty_mean": float(values.mean())}
        space = pool.embeddings if self.space == "static" else observed["embeddings"]
        if self.whiten is not None and (observed or len(newest) == len(pool.selected)):
            # A static space is whitened once.
            from harness.feedback.whitening import whiten

            space = whiten(space, self.whiten)
        return replace(pool, embeddings=space), {"dimensions": space.shape[1]}
