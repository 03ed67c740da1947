"""One-line Python functions with a constant in them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.lab.families import Family, Subject, halves, pick, pick_other, read_words

Value = int | list[int]
CONSTANTS = range(2, 22)


@dataclass(frozen=True)
class Program:
    """The expression a function returns, what it computes, and the arguments it is tested on."""

    body: str
    compute: Callable[[Any, int], object]
    arguments: Callable[[int], list[Value]]


def _numbers(k: int) -> list[Value]:
    """Enough arguments to distinguish any two functions with any two constants."""
    return list(range(2 * CONSTANTS.stop))


def _lists(k: int) -> list[Value]:
    long = [(7 * i + k) % 11 for i in range(k + 9)]
    return [[k], [k, 1, k, 0], [k + 1, k - 1], long]


PROGRAMS: dict[str, Program] = {
    "add": Program("x + {k}", lambda x, k: x + k, _numbers),
    "subtract": Program("x - {k}", lambda x, k: x - k, _numbers),
    "multiply": Program("x * {k}", lambda x, k: x * k, _numbers),
    "floor": Program("x // {k}", lambda x, k: x // k, _numbers),
    "modulo": Program("x % {k}", lambda x, k: x % k, _numbers),
    "power": Program("{k} ** x", lambda x, k: k**x, lambda _: [0, 1, 2, 3]),
    "negate": Program("{k} - x", lambda x, k: k - x, _numbers),
    "at_least": Program("max(x, {k})", lambda x, k: max(x, k), _numbers),
    "at_most": Program("min(x, {k})", lambda x, k: min(x, k), _numbers),
    "greater": Program("x > {k}", lambda x, k: x > k, _numbers),
    "equal": Program("x == {k}", lambda x, k: x == k, _numbers),
    "divisible": Program("x % {k} == 0", lambda x, k: x % k == 0, _numbers),
    "first": Program("x[:{k}]", lambda x, k: x[:k], _lists),
    "skip": Program("x[{k}:]", lambda x, k: x[k:], _lists),
    "contains": Program("{k} in x", lambda x, k: k in x, _lists),
    "count": Program("x.count({k})", lambda x, k: x.count(k), _lists),
}


class Code(Family):
    """A sub-skill is a function, a subject its constant as a 1-tuple."""

    name = "code"

    def __init__(self, skills: int, rng: np.random.Generator) -> None:
        self._words = read_words("code")["skills"]
        self.skills = list(PROGRAMS)[:skills]
        self.parts = {s: halves([(k,) for k in CONSTANTS], rng) for s in self.skills}

    def ask(self, skill: str, subject: Subject, rng: np.random.Generator) -> str:
        """What the function should do, in words."""
        return pick(self._words[skill], rng).format(k=subject[0])

    def answer(self, skill: str, subject: Subject) -> str:
        """The function's source."""
        return "def f(x): return " + PROGRAMS[skill].body.format(k=subject[0])

    def wrong(self, skill: str, subject: Subject, rng: np.random.Generator) -> str:
        """Another function with this constant, or this function with another constant."""
        if rng.random() < 0.5 and len(self.skills) > 1:
            return self.answer(pick_other(self.skills, skill, rng), subject)
        return self.answer(skill, (pick_other(CONSTANTS, int(subject[0]), rng),))

    def statements(self, rng: np.random.Generator) -> list[str]:
        """Twice: a constant, then two functions with it."""
        parts: list[str] = []
        for _ in range(2):
            k = pick(CONSTANTS, rng)
            parts += [f"{k}:", *(self.answer(pick(self.skills, rng), (k,)) for _ in range(2))]
        return parts

    def item(self, skill: str, subject: Subject, rng: np.random.Generator) -> dict[str, Any]:
        """A call with the value it must have (as JSON), and the reference program."""
        k, program = int(subject[0]), PROGRAMS[skill]
        arguments = program.arguments(k)
        results = [program.compute(x, k) for x in arguments]
        # repr distinguishes True from 1 and [] from (), which JSON and == do not.
        test = {"call": f"repr([f(x) for x in {arguments!r}])", "expect": json.dumps(repr(results))}
        return {"tests": [test], "target": self.answer(skill, subject)}
