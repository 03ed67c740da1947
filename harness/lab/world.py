"""The generated world: families, pool with its planted truth, preferences, corpus, benchmarks."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common.errors import InputError
from harness.common.schemas import (
    POOL,
    PREFERENCE_FAULTS,
    PREFERENCES,
    PRETRAINING,
    TRUTH,
    frame_of,
)
from harness.lab.corpus import make_corpus
from harness.lab.families import Family, dress, pick
from harness.lab.families.arithmetic import Arithmetic
from harness.lab.families.code import Code
from harness.lab.families.invented_facts import Facts, Misconceptions
from harness.lab.noise import faulty
from harness.lab.randomness import stream
from harness.lab.rows import MOST_MISSES, Instance, make_rows
from harness.params.lab import LabParams

if TYPE_CHECKING:
    import pandas as pd

FAMILIES = ("knowledge", "arithmetic", "continuation", "science", "misconceptions", "code")


@dataclass(frozen=True)
class World:
    """The frames of the world; the rows of `truth` are those of `pool`, in the same order."""

    pool: "pd.DataFrame"
    truth: "pd.DataFrame"
    pretraining: "pd.DataFrame"
    benchmarks: dict[str, list[dict[str, Any]]]


def make_families(params: LabParams) -> list[Family]:
    """The six families with their sub-skills, facts, and split into pool and test."""
    counts = [(params.skills + i) // len(FAMILIES) for i in reversed(range(len(FAMILIES)))]
    # The families with the most sub-skills come first, as there are 17 in four and 16 in two.
    sizes = dict(zip(FAMILIES, sorted(counts, reverse=True), strict=True))
    kinds = {"arithmetic": Arithmetic, "code": Code}
    made: list[Family] = []
    for name in FAMILIES:
        rng = stream(params.seed, f"family/{name}")
        if kind := kinds.get(name):
            made.append(kind(sizes[name], rng))
        else:
            facts = Misconceptions if name == "misconceptions" else Facts
            made.append(facts(name, sizes[name], rng))
    return made


def skill_name(family: str, skill: str) -> str:
    """The full name of a sub-skill: short names repeat between families."""
    return f"{family}/{skill}"


def make_benchmarks(families: list[Family], params: LabParams) -> dict[str, list[dict[str, Any]]]:
    """Equally many items for every sub-skill, on subjects that are not in the pool."""
    benchmarks: dict[str, list[dict[str, Any]]] = {}
    for family in families:
        rng = stream(params.seed, f"benchmark/{family.name}")
        items: list[dict[str, Any]] = []
        for skill in family.skills:
            subjects = family.subjects(skill, "test")
            order = np.resize(rng.permutation(len(subjects)), params.items_per_skill)
            for number, i in enumerate(order):
                subject = subjects[int(i)]
                items.append(
                    {
                        "id": f"{family.name}_{skill}_{number}",
                        "skill": skill_name(family.name, skill),
                        "prompt": dress(family.ask(skill, subject, rng), rng),
                        **family.item(skill, subject, rng),
                    }
                )
        benchmarks[family.name] = items
    return benchmarks


def build_preferences(
    params: LabParams, faults: Sequence[str] = PREFERENCE_FAULTS, part: str = "preferences"
) -> "pd.DataFrame":
    """Fresh questions, none of them the pool's, with a right and a faulty response.

    All sub-skills are equally likely, and so are all ``faults``. ``part`` names the random stream:
    another part has other questions. Columns as PREFERENCES. InputError where the world has too few
    questions for ``params.preferences``.
    """
    families = make_families(params)
    rng = stream(params.seed, part)
    seen = {row.prompt for row in make_rows(families, params)}
    rows: list[tuple[str, ...]] = []
    misses = 0
    while len(rows) < params.preferences:
        family = pick(families, rng)
        skill = pick(family.skills, rng)
        subject = pick(family.subjects(skill, "pool"), rng)
        prompt, kind = dress(family.ask(skill, subject, rng), rng), pick(faults, rng)
        rejected = faulty(kind, families, family, skill, subject, rng)
        if prompt in seen:
            misses += 1
            if misses > MOST_MISSES + len(rows):
                rule = f"after {len(rows)}, hardly any question is new; take fewer"
                raise InputError(f"lab.preferences: {rule}")
            continue
        seen.add(prompt)
        name = f"preference_{len(rows):05d}"
        rows.append((name, prompt, family.answer(skill, subject), rejected, kind))
    return frame_of(PREFERENCES, rows)


def _pool_row(number: int, row: Instance) -> tuple[str, int, str, str, str]:
    """A row's values of the pool's columns; the id says its position only, nothing planted."""
    turns = [
        {"role": "user", "content": row.prompt},
        {"role": "assistant", "content": row.response},
    ]
    messages = json.dumps(turns, ensure_ascii=False)
    return f"lab_{number:05d}", number + 1, row.prompt, row.response, messages


def build_world(params: LabParams) -> World:
    """Build the world: a pure function of its parameters."""
    families = make_families(params)
    rows = make_rows(families, params)
    pool = frame_of(POOL, [_pool_row(i, row) for i, row in enumerate(rows)])
    ids = pool["id"].tolist()
    truth = [
        (
            name,
            skill_name(row.family, row.skill),
            row.family,
            row.noise,
            "" if row.copy_of < 0 else ids[row.copy_of],
        )
        for name, row in zip(ids, rows, strict=True)
    ]
    pretraining = frame_of(PRETRAINING, make_corpus(families, params))
    return World(pool, frame_of(TRUTH, truth), pretraining, make_benchmarks(families, params))
