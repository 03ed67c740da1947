"""The functions a code benchmark's task file names: run the answers, score pass@k.

A task file for code has, besides what every task has (see harness.suites):

    output_type: generate_until
    doc_to_text: prompt
    doc_to_target: solution
    generation_kwargs: {until: [], max_gen_toks: 48, do_sample: true, temperature: 0.8}
    repeats: 10
    unsafe_code: true
    filter_list:
      - name: run
        filter: [{function: custom, filter_fn: !function harness.evaluation.code.run_answers}]
    process_results: !function harness.evaluation.code.pass_at_k
    metric_list: [{metric: pass_at_k, aggregation: mean, higher_is_better: true}]

and its column says `metric: "pass_at_k,run"`. An item has `tests`, a list of {"call": "f(3)",
"expect": "6"}: an expression, and the JSON text of the value it must have (tuples are lists). The
program is the item's `prefix` (optional) followed by the answer. What is expected never enters the
sandbox: programs are asked for values, and the values are compared out here.
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
    return [
        [next(outcomes).values == expected for _ in own]
        for own, expected in zip(answers, map(_expected, docs), strict=True)
    ]


def pass_at_k(doc: dict[str, Any], results: list[list[bool]]) -> dict[str, float]:
    """1 if any of the item's k answers passed: pass@k (Chen et al. 2021) where k were drawn."""
    return {"pass_at_k": float(any(results[0]))}


def _expected(doc: dict[str, Any]) -> list[Any]:
    return [json.loads(test["expect"]) for test in doc["tests"]]
