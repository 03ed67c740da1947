"""Iterative kMQ: clusters that the model has not learnt yet give more in the next round."""

import warnings
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from harness.feedback.weights import (
    Direction,
    ScoreTransform,
    Weights,
    cluster_scores,
    effective_clusters,
    instance_scores,
    new_weights,
)
from harness.round_systems.loop import Ask, Observed, check_idle, equal_sizes
from harness.samplers import SAMPLERS, Pool
from harness.samplers.pool import check_clusters
from harness.samplers.shares import Counts, Share

Scorer = Literal["perplexity", "reward_model", "judge"]


@dataclass(frozen=True, kw_only=True)
class KmqIterative:
    """Draw by kMQ in rounds, more from clusters that the model has not learnt yet.

    Algorithm 1 of arXiv 2409.11378 (section 2.2, eqs. 4 to 7). Each round takes a part of the
    budget by kMQ with the clusters' weights, trains, has the model answer the prompts it was
    trained on, scores given and generated responses, and gives the clusters new weights.
    """

    sampler: ClassVar[str] = "kmq"

    rounds: Annotated[int, Field(ge=1)] = 3  # N, the parts of the budget
    # Of eq. 4: the log perplexity under the trained model (eq. 7), the sigmoid of a reward model's
    # logit, or an LLM judge (`judge:` of params.yaml).
    scorer: Scorer = "perplexity"
    model: str = "reward"  # with `reward_model`: the pipeline's own, a folder or a hub id ...
    revision: str | None = None  # ... at this revision
    # `kmq`: shares by size (section 2.2); `uniform`: equal (Algorithm 1).
    first_round: Literal["kmq", "uniform"] = "kmq"
    feedback_epochs: Annotated[int, Field(ge=1)] = 1  # section 2.2: once over the data
    warm_start: bool = False  # train the last round's model further rather than the base
    feedback_on: Literal["all", "newest"] = "all"  # Algorithm 1: about all taken so far
    direction: Direction = "challenging"  # see `harness.feedback.weights`, as the next three
    score_transform: ScoreTransform = "exp"
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    weights: Weights = "cumulative"
    counts: Counts = "remainder"  # see `harness.samplers.kmq`, as the next four
    share: Share = "proportional"  # of the first round
    min_per_cluster: Annotated[int, Field(ge=0)] = 0
    replacement: bool = False
    weighting: Literal["linear", "softmax"] = "linear"
    max_new_tokens: Annotated[int, Field(ge=1)] = 64  # the longest answer
    # 0 answers with the likeliest token; above, answers are drawn.
    sampling_temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0

    def __post_init__(self) -> None:
        """Refuse a model for a scorer that reads none."""
        if self.scorer != "reward_model":
            rule = f"scorer {self.scorer} reads no reward model"
            check_idle("model", self.model, KmqIterative.model, rule, "scorer: reward_model")
            check_idle("revision", self.revision, None, rule, "scorer: reward_model")

    @property
    def needs(self) -> frozenset[str]:
        """What kMQ needs, and `models`."""
        return SAMPLERS[self.sampler].needs | {"models"}

    def sizes(self, budget: int) -> list[int]:
        """The budget in ``rounds`` parts."""
        return equal_sizes(budget, self.rounds)

    def choose(self, pool: Pool, size: int, rng: np.random.Generator) -> np.ndarray:
        """KMQ's choice by the clusters' weights among what is left of each."""
        if pool.cluster_weights is None and self.first_round == "uniform":
            pool = replace(pool, cluster_weights=_even(pool))
        names = ("share", "min_per_cluster", "replacement", "weighting", "counts")
        knobs = {name: getattr(self, name) for name in names}
        return SAMPLERS[self.sampler](pool, size, rng, **knobs)

    def observe(self, pool: Pool, newest: np.ndarray, ask: Ask) -> Observed:
        """Scores of the given and the generated responses of the instances asked about."""
        ask.train(
            newest if self.warm_start else pool.selected, self.feedback_epochs, self.warm_start
        )
        asked = newest if self.feedback_on == "newest" else pool.selected
        answers = {"max_new_tokens": self.max_new_tokens, "temperature": self.sampling_temperature}
        how: dict[str, Any] = {"scorer": self.scorer}
        if self.scorer == "reward_model":
            how |= {"reward_model": self.model, "revision": self.revision}
        return {"rows": asked, **ask.observe("answer", asked, **answers, **how)}

    def update(
        self, pool: Pool, newest: np.ndarray, observed: Observed
    ) -> tuple[Pool, dict[str, Any]]:
        """The clusters' new weights; the report has scores, weights and their spread."""
        labels, centroids = check_clusters(pool)
        before = pool.cluster_weights
        if before is None:
            even = self.first_round == "uniform" or self.share == "equal"
            before = (
                _even(pool) if even else np.bincount(labels, minlength=len(centroids)) / pool.size
            )
        scores = instance_scores(observed["gold"], observed["generated"], self.direction)
        scores[~np.isfinite(scores)] = np.nan
        if lost := int(np.isnan(scores).sum()):
            text = f"{lost} of {len(scores)} instances have no score; they are left out"
            warnings.warn(text, stacklevel=2)
        clusters = cluster_scores(scores, labels[observed["rows"]], len(centroids))
        weights = new_weights(
            before,
            clusters,
            transform=self.score_transform,
            temperature=self.temperature,
            mode=self.weights,
        )
        report = {
            "asked": len(scores),
            "left_out": lost,
            "gold_mean": _mean(observed["gold"]),
            "generated_mean": _mean(observed["generated"]),
            "score_mean": _mean(scores),
            "clusters_scored": int(np.isfinite(clusters).sum()),
            "effective_clusters_before": effective_clusters(before),
            "effective_clusters": effective_clusters(weights),
            "cluster_scores": clusters,
            "weights_before": before,
            "weights": weights,
        }
        return replace(pool, cluster_weights=weights), report


def _even(pool: Pool) -> np.ndarray:
    """Equal weights of the clusters that hold instances."""
    labels, centroids = check_clusters(pool)
    there = np.bincount(labels, minlength=len(centroids)) > 0
    return there / there.sum()


def _mean(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None
