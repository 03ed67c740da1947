"""The suite of pairwise judgments: its settings, and the files of questions that users give."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.common.errors import InputError
from harness.params.prepare import PrepareParams
from harness.pools.benchmarks import read_items
from harness.suites import SUITES, load_suite, read_task


def test_answers_are_sampled_as_in_the_released_code() -> None:
    suite = load_suite("judge_pairwise")
    assert suite.judged == suite.column(suite.headline).of == ["vicuna", "koala", "wizardlm"]
    for name in suite.judged:
        task = read_task(SUITES["judge_pairwise"] / f"{name}.yaml")
        assert task["dataset_kwargs"]["data_files"] == {"test": f"{name}.jsonl"}
        how = task["generation_kwargs"]
        assert (how["do_sample"], how["temperature"], how["max_gen_toks"]) == (True, 0.7, 1024)


def written(path: Path, *rows: dict[str, Any]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the suite reads, with a file of each benchmark in its released form."""
    monkeypatch.setenv("SHARED_DATA", str(tmp_path))
    (tmp_path / "judge").mkdir()
    more = {"category": "generic", "answer": "Because."}
    written(tmp_path / "judge/vicuna.jsonl", {"question_id": 1, "text": "Why?", **more})
    written(tmp_path / "judge/koala.jsonl", {"id": "koala_9", "prompt": "How?", "answer": "So."})
    wizard = {"idx": 7, "Skill": "Math", "Difficulty": 3, "Instruction": "Add.", "answer": "4"}
    written(tmp_path / "judge/wizardlm.jsonl", wizard)
    return tmp_path / "judge"


def read() -> dict[str, list[dict[str, Any]]]:
    return read_items(PrepareParams(source="x"), load_suite("judge_pairwise").data)


def test_files_are_read_as_released(given: Path) -> None:
    assert read() == {
        "vicuna": [{"id": "vicuna_1", "question": "Why?", "answer": "Because."}],
        "koala": [{"id": "koala_9", "question": "How?", "answer": "So."}],
        "wizardlm": [{"id": "wizardlm_1", "question": "Add.", "answer": "4"}],
    }
    written(given / "koala.jsonl", {"question": "How?", "answer": "So.", "prompt": "not this"})
    assert read()["koala"] == [{"id": "koala_1", "question": "How?", "answer": "So."}]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "Why?"}, "benchmark vicuna, row 2: no field 'answer'; it has id, text"),
        ({"answer": "So."}, "benchmark vicuna, row 2: no field 'question'; it has answer, id"),
        ({"text": " ", "answer": "So."}, "row 2: question is ' '; it must be a text that is not"),
        ({"text": "Why?", "answer": ""}, "row 2: answer is ''; it must be a text that is not"),
        ({"text": "Why?", "answer": 4}, "row 2: answer is 4; it must be a text that is not blank"),
    ],
)
def test_a_row_that_cannot_be_judged(given: Path, row: dict[str, Any], message: str) -> None:
    written(given / "vicuna.jsonl", {"text": "Why?", "answer": "So."}, row)
    with pytest.raises(InputError) as caught:
        read()
    assert message in str(caught.value)


def test_a_missing_file_is_named(given: Path) -> None:
    (given / "koala.jsonl").unlink()
    with pytest.raises(InputError, match=r"judge/koala.jsonl: no such file"):
        read()
