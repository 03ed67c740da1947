"""The rows of the pool: frequencies, right answers, planted faults and near-duplicates."""

from dataclasses import dataclass, replace

import numpy as np

from harness.common.errors import InputError
from harness.common.schemas import FAULTS
from harness.lab.families import Family, Subject, dress, pick
from harness.lab.noise import faulty, near_copy
from harness.lab.randomness import stream
from harness.params.lab import LabParams

MOST_MISSES = 1000  # in succession, after which a sub-skill is assumed to have no more prompts


@dataclass(frozen=True)
class Instance:
    """One row of the pool with what is planted in it."""

    prompt: str
    response: str
    skill: str
    family: str
    subject: Subject
    noise: str = "none"
    copy_of: int = -1


def rank_skills(families: list[Family], rng: np.random.Generator) -> list[tuple[Family, str]]:
    """All sub-skills from the most to the least frequent.

    Ranks are dealt in rounds, one sub-skill a family, so that no family has only frequent ones.
    """
    left = {f.name: [f.skills[int(i)] for i in rng.permutation(len(f.skills))] for f in families}
    ranked: list[tuple[Family, str]] = []
    while any(left.values()):
        for i in rng.permutation(len(families)):
            family = families[int(i)]
            if left[family.name]:
                ranked.append((family, left[family.name].pop()))
    return ranked


def zipf_counts(total: int, kinds: int, exponent: float) -> np.ndarray:
    """How many of ``total`` rows each rank gets: at least one, proportional to rank^-exponent."""
    weights = np.arange(1, kinds + 1) ** -exponent
    exact = 1 + (total - kinds) * weights / weights.sum()
    counts = np.floor(exact).astype(np.int64)
    counts[np.argsort(counts - exact, kind="stable")[: total - int(counts.sum())]] += 1
    return counts


def make_originals(
    families: list[Family], params: LabParams, total: int, rng: np.random.Generator
) -> list[Instance]:
    """Rows with distinct prompts and right responses, in random order."""
    ranked = rank_skills(families, rng)
    counts = zipf_counts(total, len(ranked), params.zipf)
    seen: set[str] = set()
    rows: list[Instance] = []
    for (family, skill), count in zip(ranked, counts, strict=True):
        made, misses = 0, 0
        while made < count:
            if misses > MOST_MISSES:
                raise InputError(f"lab.instances: {skill} lacks {count} prompts; take fewer")
            subject = pick(family.subjects(skill, "pool"), rng)
            prompt = dress(family.ask(skill, subject, rng), rng)
            misses += 1
            if prompt not in seen:
                seen.add(prompt)
                made, misses = made + 1, 0
                answer = family.answer(skill, subject)
                rows.append(Instance(prompt, answer, skill, family.name, subject))
    return [rows[int(i)] for i in rng.permutation(len(rows))]


def add_noise(
    rows: list[Instance],
    families: list[Family],
    params: LabParams,
    count: int,
    rng: np.random.Generator,
) -> list[Instance]:
    """Plant a fault in exactly `count` rows, most of them in a few sub-skills of every family."""
    noisy: set[tuple[str, str]] = set()
    for family in families:
        share = max(1, round(params.noisy_skills * len(family.skills)))
        chosen = rng.permutation(len(family.skills))[:share]
        noisy |= {(family.name, family.skills[int(i)]) for i in chosen}
    focus = [params.noise_focus if (r.family, r.skill) in noisy else 1.0 for r in rows]
    # The largest keys are a weighted sample without replacement (Efraimidis and Spirakis 2006).
    keys = rng.random(len(rows)) ** (1.0 / np.array(focus))
    by_name = {family.name: family for family in families}
    result = list(rows)
    for place, i in enumerate(np.argsort(-keys, kind="stable")[:count]):
        row, kind = rows[int(i)], FAULTS[place % len(FAULTS)]
        fault = faulty(kind, families, by_name[row.family], row.skill, row.subject, rng)
        result[int(i)] = replace(row, response=fault, noise=kind)
    return result


def add_copies(rows: list[Instance], count: int, rng: np.random.Generator) -> list[Instance]:
    """Insert `count` near-duplicates of random rows at random places; faults are copied too."""
    seen = {row.prompt for row in rows}
    result = list(rows)
    while len(result) < len(rows) + count:
        source = int(rng.integers(len(rows)))
        row = rows[source]
        prompt = near_copy(row.prompt, rng)
        if prompt.strip() and prompt not in seen:
            seen.add(prompt)
            result.append(replace(row, prompt=prompt, copy_of=source))
    return result


def make_rows(families: list[Family], params: LabParams) -> list[Instance]:
    """The pool in its final order; `copy_of` is a position in it."""
    copies = round(params.duplicates * params.instances)
    originals = params.instances - copies
    rows = make_originals(families, params, originals, stream(params.seed, "pool"))
    count = round(params.noise * originals)
    rows = add_noise(rows, families, params, count, stream(params.seed, "noise"))
    rng = stream(params.seed, "duplicates")
    rows = add_copies(rows, copies, rng)
    order = rng.permutation(len(rows))
    place = np.argsort(order)
    final = [rows[int(i)] for i in order]
    return [
        row if row.copy_of < 0 else replace(row, copy_of=int(place[row.copy_of])) for row in final
    ]
