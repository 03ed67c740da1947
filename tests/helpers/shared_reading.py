"""Every reading of a round's phases, as a function that several processes can share."""

from typing import NamedTuple

import numpy as np

from harness.feedback.hidden_states import mean_pooled
from harness.feedback.scoring import trained_model
from harness.feedback.uncertainty import CRITERIA, uncertainty
from harness.models.reader import read_with
from harness.models.template import tokenise_all
from harness.reward_model.classifier import load_classifier, logits
from tests.helpers.round_journal import READ
from tests.helpers.scored_rows import POOL


class Readings(NamedTuple):
    """Arrays by what was read, and how many rows each said were done."""

    values: dict[str, np.ndarray]
    steps: dict[str, int]


def read_all(model: str, reward: str) -> Readings:
    """Hidden states, each uncertainty and a reward model's logits of the pool, a row a batch."""
    made = Readings({}, {})
    reader = trained_model({**READ, "model": model})
    judge = read_with(load_classifier, reward, None, 128, "cpu", 1)
    turns = tokenise_all(judge.tokenizer, list(POOL.conversations()), POOL.names)
    ids = [own for own, _ in turns]

    def keep(name: str, *arguments: object, **how: object) -> None:
        made.steps[name] = 0

        def step(rows: int) -> None:
            made.steps[name] += rows

        measure = {"states": mean_pooled, "reward": logits}.get(name, uncertainty)
        values = measure(*arguments, **how, step=step)
        made.values[name] = values[0] if isinstance(values, tuple) else values

    keep("states", reader, POOL, batch_size=1)
    for criterion in CRITERIA:
        keep(criterion, reader, POOL, criterion, batch_size=1)
    keep("reward", judge.model, ids, 1)
    return made
