"""A suite of a benchmark and two columns that a judge scores, and the files it reads."""

from pathlib import Path

from harness.suites import Suite, read_suite
from tests.helpers.small_suite import CHOICE, CHOICES, SHOTS, write_lines

SUITE = """
name: judged
title: Judged
headline: avg
columns:
  - {name: choice, label: Choice, kind: lm_eval, task: choice.yaml, metric: "acc,none",
     higher_is_better: true}
  - {name: why, label: Why, kind: judge, task: why.yaml, higher_is_better: true}
  - {name: how, label: How, kind: judge, task: how.yaml, higher_is_better: true, items: 2}
  - {name: avg, label: Average, kind: mean, of: [choice, why, how], higher_is_better: true}
"""
TASK = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {name}.jsonl}}}}
test_split: test
output_type: generate_until
doc_to_text: question
doc_to_target: answer
generation_kwargs: {{until: [], max_gen_toks: 6, do_sample: true, temperature: 0.7}}
"""
WHY = [{"id": f"w{i}", "question": f"Why {i}?", "answer": f"It is {i}."} for i in range(5)]
HOW = [{"question": f"How {i}?", "answer": f"By {i}."} for i in range(4)]


def write_judged(folder: Path) -> Suite:
    """Write the suite and, beside it, the files of its questions."""
    (folder / "suite").mkdir()
    (folder / "suite/suite.yaml").write_text(SUITE)
    (folder / "suite/choice.yaml").write_text(CHOICE.format(name="choice"))
    for name in ("why", "how"):
        (folder / f"suite/{name}.yaml").write_text(TASK.format(name=name))
    (folder / "benchmarks").mkdir()
    lines = {"choice": CHOICES, "choice_shots": SHOTS, "why": WHY, "how": HOW}
    for name, rows in lines.items():
        write_lines(folder / f"benchmarks/{name}.jsonl", rows)
    return read_suite(folder / "suite")
