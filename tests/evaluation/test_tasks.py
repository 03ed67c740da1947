"""Suites that extend others, and tasks whose items or fields could never be right."""

from pathlib import Path
from typing import Any

import pytest

from harness.common.errors import InputError
from harness.common.files import write_json
from harness.evaluation.benchmarks import column_tasks
from harness.evaluation.language_model import language_model
from harness.evaluation.tasks import prepare_column
from harness.suites import SUITES, Suite, load_suite, read_suite
from tests.helpers.small_suite import PARAMS, write_lines


def test_suites_that_extend_one_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, base in (("one", "two"), ("two", "one")):
        monkeypatch.setitem(SUITES, name, tmp_path / name)
        (tmp_path / name).mkdir()
        (tmp_path / name / "suite.yaml").write_text(f"extends: {base}\nname: {name}\n")
    for name in ("one", "two"):
        with pytest.raises(InputError, match=r"suite.yaml: extends .*, which extends it; name"):
            load_suite(name)


def extended(folder: Path, text: str) -> Suite:
    folder.mkdir()
    (folder / "suite.yaml").write_text(f"extends: paper_local\nname: own\n{text}")
    return read_suite(folder)


QUIZ = """task: quiz
dataset_path: json
dataset_kwargs: {data_files: {test: quiz.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: question
doc_to_choice: choices
doc_to_target: answer
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
"""


@pytest.mark.parametrize(
    ("change", "item", "rule"),
    [
        ({}, {"answer": "Lyon"}, r"item 2: the answer is 'Lyon', of 2 choices"),
        ({}, {"choices": ["Paris", " "]}, r"item 2: one of its choices is blank or no text"),
        ({}, {"choices": ["Paris", 1]}, r"quiz.yaml: .*; give each field values of one type"),
        ({}, {"question": None}, r"item 2: question is None; the task's doc_to_text reads it"),
        ({"answer\n": "anser\n"}, {}, r"doc_to_target names 'anser', which no item has.*'answer'"),
        ({"doc_to_text: question": "doc_to_text: '{{1 +}}'"}, {}, r"lm-eval cannot read it"),
        ({"multiple_choice": "multi_choice"}, {}, r"lm-eval cannot read it"),
        ({"test: quiz.jsonl": "test: [quiz.jsonl]"}, {}, r"needs dataset_kwargs.data_files"),
    ],
)
def test_tasks_and_items_that_could_never_be_right(
    tmp_path: Path, change: dict[str, str], item: dict[str, Any], rule: str
) -> None:
    text = QUIZ
    for old, new in change.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "quiz.yaml").write_text(text)
    values = {"name": "quiz", "title": "Quiz", "headline": "quiz"}
    column = {"name": "quiz", "label": "Quiz", "kind": "lm_eval", "task": "quiz.yaml"}
    column |= {"metric": "acc,none", "higher_is_better": True}
    write_json(tmp_path / "suite.yaml", {**values, "columns": [column]})
    good = {"id": "a", "question": "Where?", "choices": ["Paris", "Rome"], "answer": "Paris"}
    write_lines(tmp_path / "quiz.jsonl", [good, {**good, "id": "b", **item}])
    quiz = read_suite(tmp_path)
    with pytest.raises(InputError, match=rule) as caught:
        column_tasks(quiz, quiz.column("quiz"), tmp_path, PARAMS)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_taken_away_shows_no_item_its_answer(
    tiny_model: Path, tmp_path: Path
) -> None:
    rows = [{"question": f"{i}?", "answer": f"It is one.\n#### {i}"} for i in range(9)]
    write_lines(tmp_path / "gsm8k.jsonl", rows)
    lm = language_model(tiny_model, "cpu", 4, chat_template=False)
    lm._max_length = 10**6  # pyright: ignore[reportAttributeAccessIssue]
    gone = extended(tmp_path / "gone", "data: {gsm8k_train: null}\n")
    assert gone.column("gsm8k").splits == {"test": "gsm8k"}
    with pytest.raises(InputError, match="column gsm8k: few-shot example 1 is item 1 of the test"):
        prepare_column(lm, gone, gone.column("gsm8k"), tmp_path, PARAMS)
    gone = extended(tmp_path / "asked", "data: {gsm8k: null}\n")
    with pytest.raises(InputError, match="column gsm8k: splits has no test, whose items gsm8k ask"):
        prepare_column(lm, gone, gone.column("gsm8k"), tmp_path, PARAMS)
    column = load_suite("paper_local").column("mmlu").model_copy(update={"subset": None})
    with pytest.raises(InputError, match="column mmlu: mmlu is a group: `subset` names the field"):
        prepare_column(lm, load_suite("paper_local"), column, tmp_path, PARAMS)
