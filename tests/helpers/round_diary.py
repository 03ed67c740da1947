"""A loop of rounds that writes down what it is asked."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.round_systems.loop import Observed, Round
from harness.samplers import Pool


@dataclass
class Diary:
    """A journal that answers from arrays and writes down what it was asked."""

    gold: np.ndarray | None = None
    generated: np.ndarray | None = None
    spaces: list[np.ndarray] = field(default_factory=list)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)
    number: int = 0

    def ask(self, number: int) -> "Diary":
        self.number = number
        return self

    def ended(self, finished: Round) -> None:
        self.rounds.append(finished)

    def train(self, rows: np.ndarray, epochs: int | None, warm: bool) -> None:
        self.asked.append((self.number, "train", sorted(rows.tolist()), epochs, warm))

    def observe(self, phase: str, rows: np.ndarray, **settings: Any) -> Observed:  # noqa: ANN401
        self.asked.append((self.number, phase, rows.tolist(), settings))
        if phase == "embed":
            return {"embeddings": self.spaces[self.number - 1]}
        if phase == "uncertainty":
            return {"uncertainty": -rows.astype(float)}  # the lowest index is the least certain
        assert self.gold is not None
        assert self.generated is not None
        return {"gold": self.gold[rows], "generated": self.generated[rows]}


def clustered_pool(n: int = 60, k: int = 3) -> Pool:
    rng = np.random.default_rng(0)
    labels = np.arange(n) % k
    x = (np.eye(k, 8)[labels] + 0.1 * rng.normal(size=(n, 8))).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return Pool(x, rng.random(n) + 0.1, (labels, np.eye(k, 8, dtype=np.float32)))
