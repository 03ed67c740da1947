"""The functions that a code benchmark's task file names: run the answers, score pass@k.

docs/suites.md has the format of its tasks and items. Expected values never enter the sandbox:
programs are asked for values, which are compared here.
"""

import json
from typing import Any

from harness.evaluation.sandbox import Program, run_programs


def run_answers(answers: list[list[str]], docs: list[dict[str, Any]]) -> list[list[bool]]:
    """Whether each answer to each item passes all of the item's tests (lm-eval's filter form)."""
    programs = [
        Program(doc.get("prefix", "") + answer, tuple(test["call"] for test in doc["tests"]))
        for doc, own in zip(docs, answers, strict=True)
        for answer in own
    ]
    outcomes = iter(run_programs(programs))
    expected = ([json.loads(test["expect"]) for test in doc["tests"]] for doc in docs)
    return [
        [next(outcomes).values == values for _ in own]
        for own, values in zip(answers, expected, strict=True)
    ]


def pass_at_k(doc: dict[str, Any], results: list[list[bool]]) -> dict[str, float]:
    """1 if any of the item's k answers passed: pass@k (Chen et al. 2021) of k samples."""
    return {"pass_at_k": float(any(results[0]))}
