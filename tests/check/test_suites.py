"""What `make check` says of a suite's columns."""

from pathlib import Path

import pytest

from harness.check.check import check_values
from harness.common.yaml_files import read_yaml
from harness.suites import SUITES

SUITE = """
name: quiz
title: A quiz
headline: quiz
data: {{quiz: {{path: quiz.jsonl}}}}
columns:
  - {{name: quiz, label: Quiz, kind: lm_eval, builtin: {task}, splits: {{test: {file}}},
     metric: "acc,none", higher_is_better: true}}
"""


def problems(folder: Path, task: str, file: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    (folder / "suite.yaml").write_text(SUITE.format(task=task, file=file))
    monkeypatch.setitem(SUITES, "quiz", folder)
    values = read_yaml(Path("params.yaml"))
    values["evaluate"]["suite"] = "quiz"
    return check_values(values, "params.yaml")


def test_a_task_that_lm_eval_does_not_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems(tmp_path, "arc_easy", "quiz", monkeypatch) == []
    (line,) = problems(tmp_path, "arc_esy", "quiz", monkeypatch)
    assert line == (
        "params.yaml: suite quiz: quiz: lm-eval has no task 'arc_esy'; did you mean 'arc_easy'?"
    )


def test_data_that_the_suite_does_not_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Exception, match="no data is called 'quizz'; did you mean 'quiz'"):
        problems(tmp_path, "arc_easy", "quizz", monkeypatch)
