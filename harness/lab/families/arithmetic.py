"""Word problems: the story names the operation, pretraining has the results."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.lab.families import Family, Subject, halves, pick, pick_other, read_words, shuffled


@dataclass(frozen=True)
class Operation:
    """How a result is stated and computed, and the numbers it is asked for."""

    says: str
    result: Callable[..., int]
    numbers: list[tuple[int, ...]]


_PAIRS: list[tuple[int, ...]] = [(a, b) for a in range(2, 8) for b in range(2, 8)]
_UNEQUAL: list[tuple[int, ...]] = [(a, b) for a, b in _PAIRS if a != b]
_ONE: list[tuple[int, ...]] = [(a,) for a in range(3, 23)]

OPERATIONS: dict[str, Operation] = {
    "plus": Operation("{a} plus {b} is {r}.", lambda a, b: a + b, _PAIRS),
    "minus": Operation(
        "{a} minus {b} is {r}.", lambda a, b: a - b, [(a + b, b) for a, b in _PAIRS]
    ),
    "times": Operation("{a} times {b} is {r}.", lambda a, b: a * b, _PAIRS),
    "shared": Operation(
        "{a} over {b} is {r}.", lambda a, b: a // b, [(a * b, b) for a, b in _PAIRS]
    ),
    "larger": Operation("the most of {a} and {b} is {r}.", max, _UNEQUAL),
    "smaller": Operation("the least of {a} and {b} is {r}.", min, _UNEQUAL),
    "gap": Operation("the gap of {a} and {b} is {r}.", lambda a, b: abs(a - b), _UNEQUAL),
    "middle": Operation(
        "the middle of {a} and {b} is {r}.",
        lambda a, b: (a + b) // 2,
        [(a, b) for a in range(2, 10) for b in range(2, 10) if a != b and (a + b) % 2 == 0],
    ),
    "double": Operation("double {a} is {r}.", lambda a: 2 * a, _ONE),
    "triple": Operation("triple {a} is {r}.", lambda a: 3 * a, _ONE),
    "half": Operation("half of {a} is {r}.", lambda a: a // 2, [(2 * a,) for (a,) in _ONE]),
    "after": Operation("next to {a} is {r}.", lambda a: a + 1, _ONE),
    "before": Operation("prior to {a} is {r}.", lambda a: a - 1, _ONE),
    "ten_more": Operation("ten and {a} is {r}.", lambda a: a + 10, _ONE),
    "ten_times": Operation("ten times {a} is {r}.", lambda a: a * 10, _ONE),
    "square": Operation("square of {a} is {r}.", lambda a: a * a, [(a,) for a in range(2, 22)]),
    "rest": Operation("rest of {a} is {r}.", lambda a: a % 4, _ONE),
}


class Arithmetic(Family):
    """A sub-skill is an operation, a subject one or two numbers."""

    name = "arithmetic"

    def __init__(self, skills: int, rng: np.random.Generator) -> None:
        self._words = read_words("arithmetic")
        self.skills = list(OPERATIONS)[:skills]
        self.parts = {skill: halves(OPERATIONS[skill].numbers, rng) for skill in self.skills}
        self._all = [(skill, n) for skill in self.skills for n in OPERATIONS[skill].numbers]

    def ask(self, skill: str, subject: Subject, rng: np.random.Generator) -> str:
        """A story with a person and things in it."""
        story = pick(self._words["skills"][skill], rng)
        names, things = self._words["names"], self._words["things"]
        numbers = dict(zip("ab", subject, strict=False))
        return story.format(n=pick(names, rng), t=pick(things, rng), **numbers)

    def answer(self, skill: str, subject: Subject) -> str:
        """The computation as pretraining states it; its last number is the result."""
        return self._say(skill, subject, self.result(skill, subject))

    def result(self, skill: str, subject: Subject) -> int:
        """The number asked for."""
        return OPERATIONS[skill].result(*subject)

    def _say(self, skill: str, subject: Subject, result: int) -> str:
        numbers = dict(zip("ab", subject, strict=False))
        return OPERATIONS[skill].says.format(r=result, **numbers)

    def wrong(self, skill: str, subject: Subject, rng: np.random.Generator) -> str:
        """Another operation on the same numbers, or a wrong result."""
        right = self.result(skill, subject)
        alike = [s for s in self.skills if self._fits(s, subject) and s != skill]
        alike = [s for s in alike if self.result(s, subject) != right]
        if alike and rng.random() < 0.5:
            return self.answer(pick(alike, rng), subject)
        near = [n for n in range(right - 9, right + 10) if n >= 0]
        return self._say(skill, subject, pick_other(near, right, rng))

    def _fits(self, skill: str, subject: Subject) -> bool:
        return subject in OPERATIONS[skill].numbers

    def statements(self, rng: np.random.Generator) -> list[str]:
        """Twice: some numbers, then up to three computations with them.

        An operation with more pairs of numbers is stated more often.
        """
        parts: list[str] = []
        for _ in range(2):
            skill, numbers = pick(self._all, rng)
            others = [
                other for other in self.skills if other != skill and self._fits(other, numbers)
            ]
            parts.append(" ".join(map(str, numbers)) + ":")
            chosen = shuffled([skill, *shuffled(others, rng)[:2]], rng)
            parts += [self.answer(other, numbers) for other in chosen]
        return parts

    def item(self, skill: str, subject: Subject, rng: np.random.Generator) -> dict[str, Any]:
        """The result as text."""
        return {"target": str(self.result(skill, subject))}
