"""Preference pairs of real text: a given response against the same one spoilt."""

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.common.schemas import PREFERENCE_FAULTS, PREFERENCES
from harness.lab.noise import truncated
from harness.pools.instances import Instance
from harness.pools.word_runs import normalise

if TYPE_CHECKING:
    import pandas as pd


def make_preferences(rows: Sequence[Instance], pairs: int, seed: int) -> "pd.DataFrame":
    """Up to ``pairs`` first questions of the rows, each with its response and a spoilt one.

    The spoilt response is the first quarter to half of the words (truncated), or that of another
    row (off_topic); which, is drawn. One that reads as the right one is no pair, as of a response
    of one word. The rows are those the base model learns its language from: neither the pool's,
    nor held out, nor a benchmark's. Columns as PREFERENCES; empty where there are no rows.
    """
    import pandas as pd

    exchanges = [found for row in rows if (found := _first_exchange(row)) is not None]
    rng = np.random.default_rng([seed, zlib.crc32(b"preferences")])
    made: list[tuple[str, str, str, str, str]] = []
    for i in rng.permutation(len(exchanges)):
        if len(made) == pairs:
            break
        prompt, chosen = exchanges[int(i)]
        fault = PREFERENCE_FAULTS[int(rng.integers(len(PREFERENCE_FAULTS)))]
        asked, other = exchanges[int(rng.integers(len(exchanges)))]
        if fault == "truncated":
            asked, other = "", truncated(chosen, rng)
        if not other.strip() or normalise(asked) == normalise(prompt):
            continue
        if normalise(other) != normalise(chosen):
            made.append((f"preference_{len(made):05d}", prompt, chosen, other, fault))
    return pd.DataFrame(made, columns=pd.Index([n for n, _ in PREFERENCES.columns])).astype("str")


def _first_exchange(row: Instance) -> tuple[str, str] | None:
    """The first question and its answer, without a system message; None where none is learnt."""
    turns = [m for m in row.messages if m["role"] != "system"]
    if len(turns) < 2 or (turns[0]["role"], turns[1]["role"]) != ("user", "assistant"):
        return None
    if "weight" in turns[1]:
        return None
    prompt, response = turns[0]["content"], turns[1]["content"]
    return (prompt, response) if prompt.strip() and response.strip() else None
