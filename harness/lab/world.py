"""The generated world: families, pool with its planted truth, preferences, corpus, benchmarks."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common.errors import InputError
from harness.common.schemas import PREFERENCE_FAULTS, PREFERENCES
from harness.lab.corpus import make_corpus
from harness.lab.families import Family, dress, pick
from harness.lab.families.arithmetic import Arithmetic
from harness.lab.families.code import Code
from harness.lab.families.facts import Facts, Misconceptions
from harness.lab.noise import faulty
from harness.lab.randomness import stream
from harness.lab.rows import MOST_MISSES, Instance, make_rows
from harness.params.lab import LabParams

if TYPE_CHECKING:
    import pandas as pd

FAMILIES = ("knowledge", "arithmetic", "continuation", "science", "misconceptions", "code")


@dataclass(frozen=True)
class World:
    """The frames of the world; `truth` has one row for each of `pool`, in the same order."""

    pool: "pd.DataFrame"
    truth: "pd.DataFrame"
    pretraining: "pd.DataFrame"
    benchmarks: dict[str, list[dict[str, Any]]]


def make_families(params: LabParams) -> list[Family]:
    """The six families with their sub-skills, facts and the split into pool and test."""
    counts = [(params.skills + i) // len(FAMILIES) for i in reversed(range(len(FAMILIES)))]
    # The families with the most sub-skills come first, as there are 17 in four and 16 in two.
    sizes = dict(zip(FAMILIES, sorted(counts, reverse=True), strict=True))
    rngs = {name: stream(params.seed, f"family/{name}") for name in FAMILIES}
    made: list[Family] = []
    for name in FAMILIES:
        if name == "arithmetic":
            made.append(Arithmetic(sizes[name], rngs[name]))
        elif name == "code":
            made.append(Code(sizes[name], rngs[name]))
        else:
            kind = Misconceptions if name == "misconceptions" else Facts
            made.append(kind(name, sizes[name], rngs[name]))
    return made


def skill_name(family: str, skill: str) -> str:
    """The name of a sub-skill among all of them: short names repeat between families."""
    return f"{family}/{skill}"


def make_benchmarks(families: list[Family], params: LabParams) -> dict[str, list[dict[str, Any]]]:
    """Equally many items for every sub-skill, all on subjects that the pool does not have."""
    benchmarks: dict[str, list[dict[str, Any]]] = {}
    for family in families:
        rng = stream(params.seed, f"benchmark/{family.name}")
        items: list[dict[str, Any]] = []
        for skill in family.skills:
            subjects = family.subjects(skill, "test")
            order = np.resize(rng.permutation(len(subjects)), params.items_per_skill)
            for number, i in enumerate(order):
                subject = subjects[int(i)]
                item = {
                    "id": f"{family.name}_{skill}_{number}",
                    "skill": skill_name(family.name, skill),
                    "prompt": dress(family.ask(skill, subject, rng), rng),
                    **family.item(skill, subject, rng),
                }
                items.append(item)
        benchmarks[family.name] = items
    return benchmarks


def build_preferences(
    params: LabParams, faults: Sequence[str] = PREFERENCE_FAULTS, part: str = "preferences"
) -> "pd.DataFrame":
    """Fresh questions with a right and a faulty response; none is a question of the pool.

    Every sub-skill and every one of ``faults`` is as likely as any other. ``part`` names the random
    stream: another part, other questions. Columns: id, prompt, chosen, rejected, fault. Raises
    InputError where the world has too few questions for ``params.preferences``.
    """
    import pandas as pd

    families = make_families(params)
    rng = stream(params.seed, part)
    seen = {row.prompt for row in make_rows(families, params)}
    rows: list[dict[str, str]] = []
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
                told = f"after {len(rows)} most questions are known already; take fewer"
                raise InputError(f"lab.preferences: {told}")
            continue
        seen.add(prompt)
        chosen = family.answer(skill, subject)
        rows.append(
            {
                "id": f"preference_{len(rows):05d}",
                "prompt": prompt,
                "chosen": chosen,
                "rejected": rejected,
                "fault": kind,
            }
        )
    columns = [name for name, _ in PREFERENCES.columns]
    return pd.DataFrame(rows, columns=pd.Index(columns)).astype("str")


def _frames(rows: list[Instance]) -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """The pool and its truth; ids say the position only, nothing planted."""
    import pandas as pd

    ids = [f"lab_{i:05d}" for i in range(len(rows))]
    pool = pd.DataFrame(
        {
            "id": ids,
            "row": range(1, len(rows) + 1),
            "prompt": [row.prompt for row in rows],
            "response": [row.response for row in rows],
            "messages": [_messages(row) for row in rows],
        }
    )
    truth = pd.DataFrame(
        {
            "id": ids,
            "skill": [skill_name(row.family, row.skill) for row in rows],
            "family": [row.family for row in rows],
            "noise": [row.noise for row in rows],
            "duplicate_of": ["" if row.copy_of < 0 else ids[row.copy_of] for row in rows],
        }
    )
    return pool.astype({"row": "int64"}), truth


def _messages(row: Instance) -> str:
    turns = [
        {"role": "user", "content": row.prompt},
        {"role": "assistant", "content": row.response},
    ]
    return json.dumps(turns, ensure_ascii=False)


def build_world(params: LabParams) -> World:
    """Build the world: a pure function of its parameters."""
    import pandas as pd

    families = make_families(params)
    rows = make_rows(families, params)
    pool, truth = _frames(rows)
    corpus = make_corpus(families, params)
    pretraining = pd.DataFrame(corpus, columns=pd.Index(["text", "source"])).astype("str")
    return World(pool, truth, pretraining, make_benchmarks(families, params))
