"""The six families of the world: what each asks, answers, gets wrong, and states in pretraining."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

T = TypeVar("T")
Subject = tuple[str, ...] | tuple[int, ...]


class Family(Protocol):
    """A family of sub-skills; a subject is what one question is about (an entity, or numbers)."""

    name: str
    skills: list[str]
    parts: dict[str, dict[str, list[Any]]]  # of each sub-skill, its subjects in `halves`

    def subjects(self, skill: str, part: str) -> list[Subject]:
        """The subjects of the `pool` or, disjoint from them, of the `test`."""
        return list(self.parts[skill][part])

    def ask(self, skill: str, subject: Subject, rng: np.random.Generator) -> str:
        """A question in one of the sub-skill's wordings."""
        ...

    def answer(self, skill: str, subject: Subject) -> str:
        """The one right response."""
        ...

    def wrong(self, skill: str, subject: Subject, rng: np.random.Generator) -> str:
        """A well-formed response that is not the right one."""
        ...

    def statements(self, rng: np.random.Generator) -> list[str]:
        """Some facts in the declarative form of pretraining, which make a document."""
        ...

    def item(self, skill: str, subject: Subject, rng: np.random.Generator) -> dict[str, Any]:
        """The fields of a benchmark item other than id, prompt and skill."""
        ...


@cache
def read_words(name: str) -> Any:  # noqa: ANN401  (YAML is any of its types)
    """The content of `<name>.yaml` in this folder."""
    import yaml

    with (Path(__file__).parent / f"{name}.yaml").open(encoding="utf-8") as file:
        return yaml.safe_load(file)


def pick(items: Sequence[T], rng: np.random.Generator) -> T:
    """One of the items, uniformly (numpy's own choice would turn strings into arrays)."""
    return items[int(rng.integers(len(items)))]


def pick_other(items: Sequence[T], not_this: T, rng: np.random.Generator) -> T:
    """One of the items that differ from `not_this`, uniformly."""
    return pick([item for item in items if item != not_this], rng)


def shuffled(items: Sequence[T], rng: np.random.Generator) -> list[T]:
    """The items in a random order."""
    return [items[int(i)] for i in rng.permutation(len(items))]


def halves(items: Sequence[T], rng: np.random.Generator) -> dict[str, list[T]]:
    """The items split at random into those of the `pool` and those of the `test`, each sorted."""
    mixed: list[Any] = shuffled(items, rng)
    half = len(mixed) // 2
    return {"pool": sorted(mixed[:half]), "test": sorted(mixed[half:])}


def dress(question: str, rng: np.random.Generator) -> str:
    """The question with what people write around one, alike for every sub-skill."""
    words = read_words("dressing")
    return pick(words["openers"], rng) + question + pick(words["closers"], rng)
