"""Reference subsets, chosen by the planted truth that selection systems cannot see.

Each takes the truth frame (columns skill, noise, duplicate_of) and returns int64 positions in it.
"""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from harness.common.errors import InputError
from harness.params.lab import Rows

if TYPE_CHECKING:
    import pandas as pd

Sized = Callable[[int, np.random.Generator], np.ndarray]
Fit = Callable[[Sized, np.random.Generator], np.ndarray]


def full_clean(truth: "pd.DataFrame") -> np.ndarray:
    """Every row that has no fault and copies no other, in the order of the pool."""
    clean = (truth["noise"] == "none") & (truth["duplicate_of"] == "")
    return np.flatnonzero(clean.to_numpy()).astype(np.int64)


def oracle(truth: "pd.DataFrame", budget: int, rng: np.random.Generator) -> np.ndarray:
    """Clean rows in equal numbers from every sub-skill, as far as there are any."""
    return coverage_dose(truth, budget, 1.0, rng)


def noise_dose(
    truth: "pd.DataFrame", budget: int, share: float, rng: np.random.Generator
) -> np.ndarray:
    """Random rows, near-duplicates included, of which the given share has a fault.

    InputError where the pool has too few rows with or without faults.
    """
    faulty = (truth["noise"] != "none").to_numpy()
    parts = []
    counts = {True: round(share * budget), False: budget - round(share * budget)}
    for fault, count in counts.items():
        rows = np.flatnonzero(faulty == fault)
        if len(rows) < count:
            raise InputError(
                f"noise dose {share}: needs {count} rows, there are {len(rows)}; lower the budget"
            )
        parts.append(rng.permutation(rows)[:count])
    return rng.permutation(np.concatenate(parts)).astype(np.int64)


def coverage_dose(
    truth: "pd.DataFrame", budget: int, share: float, rng: np.random.Generator
) -> np.ndarray:
    """Clean rows in equal numbers from the given share of the sub-skills.

    Within each family the sub-skills are spread evenly over frequency (every second, every fourth),
    from a random start: a random choice could be of rare ones, with too few rows.
    """
    clean = full_clean(truth)
    skills = truth["skill"].to_numpy()[clean]
    reached = _spread(truth, share, rng)
    rows_of = {skill: rng.permutation(clean[skills == skill]) for skill in reached}
    have = sum(len(rows) for rows in rows_of.values())
    if have < budget:
        raise InputError(
            f"coverage {share}: the {len(reached)} sub-skills have {have} clean rows, "
            f"{budget} are wanted; lower the budget"
        )
    takes = _equal_shares([len(rows_of[skill]) for skill in reached], budget, rng)
    chosen = [rows_of[skill][:take] for skill, take in zip(reached, takes, strict=True)]
    return rng.permutation(np.concatenate(chosen)).astype(np.int64)


def _spread(truth: "pd.DataFrame", share: float, rng: np.random.Generator) -> list[str]:
    """A share of each family's sub-skills, at even steps through their order of frequency."""
    reached: list[str] = []
    families = truth.groupby("family", sort=True)
    for _, rows in families:
        counts = Counter(rows["skill"])
        ordered = sorted(counts, key=lambda skill: (-counts[skill], skill))
        steps = int(np.floor(len(ordered) * share + rng.random())) or 1
        at = (np.arange(steps) + rng.random()) * len(ordered) / steps
        reached += [ordered[int(i)] for i in at]
    return reached


def _equal_shares(available: list[int], budget: int, rng: np.random.Generator) -> list[int]:
    """How many to take of each, as equal as possible; what one lacks is taken from the others."""
    takes = np.zeros(len(available), dtype=np.int64)
    room = np.array(available)
    while (left := budget - int(takes.sum())) > 0:
        open_ = np.flatnonzero(takes < room)
        if left < len(open_):
            takes[rng.permutation(open_)[:left]] += 1
        else:
            takes[open_] = np.minimum(room[open_], takes[open_] + left // len(open_))
    return takes.tolist()


def reference_chooser(
    rows: Rows, share: float | None, truth: "pd.DataFrame", size: int, fit: Fit
) -> Callable[[np.random.Generator], np.ndarray]:
    """The function that chooses the rows of a reference, given a generator.

    ``fit`` takes as many rows as fit the budget. `none` and `full` need no truth; InputError for
    the others where the pool has none.
    """
    if rows == "none":
        return lambda rng: np.empty(0, dtype=np.int64)
    if rows == "full":
        return lambda rng: np.arange(size, dtype=np.int64)
    if len(truth) != size:
        raise InputError(f"references: rows {rows!r} reads planted truth, which only the lab has")
    if rows == "clean":
        return lambda rng: full_clean(truth)
    if rows == "oracle":
        return lambda rng: fit(lambda budget, inner: oracle(truth, budget, inner), rng)
    if share is None:
        raise InputError(f"references: rows {rows!r} needs `share`, between 0 and 1")
    dose = noise_dose if rows == "noise" else coverage_dose
    return lambda rng: fit(lambda budget, inner: dose(truth, budget, share, inner), rng)
