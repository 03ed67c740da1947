"""A suite of one task of each kind, and the files it reads."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from harness.params.evaluation import EvaluateParams
from harness.suites import Suite, read_suite

SUITE = """
name: small
title: Small
headline: avg
columns:
  - {name: choice, label: Choice, kind: lm_eval, task: choice.yaml, metric: "acc,none",
     higher_is_better: true, chance: 25.0, cluster: skill}
  - {name: norm, label: Norm, kind: lm_eval, task: norm.yaml, metric: "acc_norm,none",
     higher_is_better: true, shots: fit, max_shots: 6}
  - {name: text, label: Text, kind: lm_eval, task: text.yaml, metric: "exact_match,none",
     higher_is_better: true, shots: 1, items: 3}
  - {name: code, label: Code, kind: lm_eval, task: code.yaml, metric: "pass@1,run",
     higher_is_better: true}
  - {name: bpb_a, label: A, kind: bits_per_byte, sources: [a], higher_is_better: false}
  - {name: bpb, label: All, kind: bits_per_byte, sources: [], higher_is_better: false}
  - {name: avg, label: Average, kind: mean, of: [choice, text], higher_is_better: true}
"""
CHOICE = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: choice.jsonl, shots: choice_shots.jsonl}}}}
test_split: test
fewshot_split: shots
fewshot_config: {{sampler: first_n}}
output_type: multiple_choice
doc_to_text: prompt
doc_to_choice: choices
doc_to_target: target
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: acc_norm, aggregation: mean, higher_is_better: true}}
"""
TEXT = """
task: text
dataset_path: json
dataset_kwargs: {data_files: {test: text.jsonl, shots: text_shots.jsonl}}
test_split: test
fewshot_split: shots
fewshot_config: {sampler: first_n}
output_type: generate_until
doc_to_text: prompt
doc_to_target: target
generation_kwargs: {until: [], max_gen_toks: 6, do_sample: false}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
"""
CODE = """
task: code
dataset_path: json
dataset_kwargs: {data_files: {test: code.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: prompt
doc_to_target: prompt
generation_kwargs: {until: [], max_gen_toks: 6, do_sample: true, temperature: 0.9, top_k: 0}
repeats: 3
unsafe_code: true
filter_list:
  - name: run
    filter: [{function: custom, filter_fn: !function harness.evaluation.code.run_answers}]
process_results: !function harness.evaluation.code.pass_at_k
metric_list: [{metric: pass@1, aggregation: mean, higher_is_better: true}]
"""
CHOICES = [
    {
        "id": f"q{i}",
        "skill": "odd" if i % 2 else "even",
        "prompt": f"Name number {i}.",
        "choices": [str(i), "a", "bc", "Lubi"],
        "target": i % 4,
    }
    for i in range(9)
]
SHOTS = [{**row, "prompt": f"Find number {i}."} for i, row in enumerate(CHOICES)][::-1]
TEXT_SHOTS = [{"prompt": f"Name {i}.", "target": f"It is {i}."} for i in range(5)]
TEXTS = [{"prompt": f"Say {i}.", "target": f"It is {i}."} for i in range(5)]
# Whatever the model writes stands in a comment, so that the first item always passes; the second
# has no function to call.
CODES = [
    {
        "prompt": "f",
        "prefix": "def f(x): return x + 1\n#",
        "tests": [{"call": "f(1)", "expect": "2"}],
    },
    {"prompt": "g", "prefix": "#", "tests": [{"call": "g(1)", "expect": "2"}]},
]
PARAMS = EvaluateParams(suite="small", batch_size=4)


def heldout() -> pd.DataFrame:
    rows = []
    for source, name, response in [("a", "1", "Lubi."), ("b", "1", "x + 1"), ("a", "2", "süß")]:
        turns = [{"role": "user", "content": name}, {"role": "assistant", "content": response}]
        row = {"id": name, "row": 1, "prompt": name, "response": response, "source": source}
        rows.append(row | {"messages": json.dumps(turns)})
    return pd.DataFrame(rows)


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_suite(folder: Path) -> Suite:
    (folder / "suite.yaml").write_text(SUITE)
    for name in ("choice", "norm"):
        (folder / f"{name}.yaml").write_text(CHOICE.format(name=name))
    (folder / "text.yaml").write_text(TEXT)
    (folder / "code.yaml").write_text(CODE)
    return read_suite(folder)


def write_benchmarks(folder: Path) -> Path:
    write_lines(folder / "choice.jsonl", CHOICES)
    write_lines(folder / "choice_shots.jsonl", SHOTS)
    write_lines(folder / "text.jsonl", TEXTS)
    write_lines(folder / "text_shots.jsonl", TEXT_SHOTS)
    write_lines(folder / "code.jsonl", CODES)
    return folder
