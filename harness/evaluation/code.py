"""The functions that a code benchmark's task file names: run the answers, score pass@k.

docs/suites.md has the format of its tasks and items. Expected values never enter the sandbox:
programs are asked for values, which are compared here.
"""

import json
from math import comb
from typing import Any

from harness.evaluation.sandbox import Program, run_programs
from harness.launching.ranks import in_shards


def run_answers(answers: list[list[str]], docs: list[dict[str, Any]]) -> list[list[bool]]:
    """Whether each answer to each item passes all of the item's tests (lm-eval's filter form)."""
    programs = [
        Program(doc.get("prefix", "") + answer, tuple(test["call"] for test in doc["tests"]))
        for doc, own in zip(docs, answers, strict=True)
        for answer in own
    ]
    outcomes = iter(in_shards(programs, run_programs))
    expected = ([json.loads(test["expect"]) for test in doc["tests"]] for doc in docs)
    return [
        [next(outcomes).values == values for _ in own]
        for own, values in zip(answers, expected, strict=True)
    ]


def run_checks(answers: list[list[str]], docs: list[dict[str, Any]]) -> list[list[bool]]:
    """Whether each answer to each item of HumanEval passes the item's own `check`.

    The program is the item's prompt, the answer, and the item's tests, which must run beside it:
    they are assertions, not values. It passes if they end without an error.
    """
    programs = [
        Program(f"{doc['prompt']}{answer}\n{doc['test']}", (f"check({doc['entry_point']})",))
        for doc, own in zip(docs, answers, strict=True)
        for answer in own
    ]
    outcomes = iter(in_shards(programs, run_programs))
    return [[next(outcomes).values == [None] for _ in own] for own in answers]


def pass_at_k(doc: dict[str, Any], results: list[list[bool]]) -> dict[str, float]:
    """pass@1 and pass@10 of an item's n answers, without bias: 1 - C(n - c, k) / C(n, k).

    c of them passed; Chen et al. 2021, arXiv 2107.03374, eq. 1. Fewer than k answers give none.
    """
    answers = results[0]
    failed, n = answers.count(False), len(answers)
    return {f"pass@{k}": 1.0 - comb(failed, k) / comb(n, k) for k in (1, 10) if k <= n}
