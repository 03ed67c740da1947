"""Pairs that a reward model learns from, with planted faults."""

import pandas as pd

from harness.common.schemas import PREFERENCES
from harness.params.reward_model import RewardParams

PARAMS = RewardParams(epochs=4, learning_rate=5e-3, batch_size=8, max_length=128)


NAMES = ["Zanu", "Borel", "Kitara", "Lamar", "Havre"]


def right(i: int) -> str:
    return f"The capital of {NAMES[i % 5]} is Lubi {i}."


def pairs_of(count: int, fault: str | None = None) -> pd.DataFrame:
    """Right answers against their first words (truncated), or against code (off_topic)."""
    rows = []
    for i in range(count):
        kind = fault or ("truncated", "off_topic")[i % 2]
        wrong = "The capital" if kind == "truncated" else f"def f(x): return x + {i}"
        wrong = right(i)[::-1] if kind == "garbled" else wrong
        prompt = f"Name the capital of {NAMES[i % 5]}, number {i}."
        rows.append((f"p{i}", prompt, right(i), wrong, kind))
    columns = [name for name, _ in PREFERENCES.columns]
    return pd.DataFrame(rows, columns=pd.Index(columns)).astype("str")
