"""Preference pairs from real text: a given response against a spoilt one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.common.schemas import PREFERENCE_FAULTS, PREFERENCES, frame_of
from harness.lab.noise import truncated
from harness.lab.randomness import stream
from harness.pools.instances import Instance
from harness.pools.word_runs import normalise

if TYPE_CHECKING:
    import pandas as pd


def make_preferences(rows: Sequence[Instance], pairs: int, seed: int) -> "pd.DataFrame":
    """Up to ``pairs`` first questions of the rows, each with its response and a spoilt one.

    The spoilt response is drawn: the first quarter to half of the words (truncated), or another
    row's response (off_topic). A question is skipped where both responses read the same, as when
    there is but one word. The rows are the pretraining text's: not the pool's, not held out, not a
    benchmark's. Columns as PREFERENCES; empty without rows.
    """
    exchanges = [pair for row in rows if (pair := _first_exchange(row)) is not None]
    rng = stream(seed, "preferences")
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
    return frame_of(PREFERENCES, made)


def _first_exchange(row: Instance) -> tuple[str, str] | None:
    """The first question and its answer, without a system turn; None where it is not learnt."""
    turns = [m for m in row.messages if m["role"] != "system"]
    if len(turns) < 2 or (turns[0]["role"], turns[1]["role"]) != ("user", "assistant"):
        return None
    if "weight" in turns[1]:
        return None
    prompt, response = turns[0]["content"], turns[1]["content"]
    return (prompt, response) if prompt.strip() and response.strip() else None
