"""Answers by a server of the model are those of the model."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.common.errors import InputError
from harness.evaluation.evaluate import Evaluation, evaluate
from harness.evaluation.served import Server
from harness.params.evaluation import EvaluateParams
from tests.helpers.small_suite import PARAMS, heldout, write_benchmarks, write_suite

SERVER = [sys.executable, "-m", "tests.helpers.model_server", "{model}", "{port}"]


def scored(model: Path, place: Path, server: Sequence[str] | None, columns: set[str]) -> Evaluation:
    for name in ("suite", "benchmarks"):
        (place / name).mkdir(exist_ok=True)
    suite, benchmarks = write_suite(place / "suite"), write_benchmarks(place / "benchmarks")
    kept = [column for column in suite.columns if column.name in columns]
    suite = suite.model_copy(update={"columns": kept})
    how = {"backend": "endpoint", "server": list(server)} if server else {}
    return evaluate(model, suite, benchmarks, heldout(), PARAMS.model_copy(update=how), 0)


def test_a_server_answers_as_the_model_does(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for those that are drawn, of which each to one prompt is another."""
    asked: list[int] = []
    answers = Server.answers

    def counting(self: Server, prompts: list[list[int]], *rest: Any) -> list[str]:  # noqa: ANN401
        asked.append(len(prompts))
        return answers(self, prompts, *rest)

    monkeypatch.setattr(Server, "answers", counting)
    columns = {"choice", "text", "code", "bpb"}
    here, there = (scored(tiny_model, tmp_path, server, columns) for server in (None, SERVER))
    assert there.n == here.n
    assert sum(asked) == there.n["text"] + 3 * there.n["code"]
    samples = [result.samples.query("task != 'code'") for result in (here, there)]
    assert samples[1].equals(samples[0])
    assert samples[0].query("task == 'text'").prediction.str.len().sum() > 0
    for answers in there.samples.query("task == 'code'").prediction:
        assert len({one["answer"] for one in json.loads(answers)}) > 1
    commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    assert not any("tests.helpers.model_server" in words for words in commands)


@pytest.mark.parametrize(
    ("server", "rule"),
    [
        (["no-such-server", "{model}", "{port}"], "no-such-server cannot be run: No such file"),
        (["sh", "-c", "echo no room; exit 3; {model} {port}"], "said: no room.*serves no model"),
    ],
)
def test_a_server_that_does_not_start(
    tiny_model: Path, tmp_path: Path, server: list[str], rule: str
) -> None:
    with pytest.raises(InputError, match=rule):
        scored(tiny_model, tmp_path, server, {"text"})


def test_a_server_that_cannot_be_asked_is_refused() -> None:
    for how, rule in (
        ({"backend": "endpoint"}, "no command with {model}, {port}"),
        ({"server": SERVER}, "hf, which asks no server"),
        ({"backend": "vllm", "processes": 2}, "say processes: 1"),
    ):
        with pytest.raises(ValueError, match=rule):
            EvaluateParams.model_validate({"suite": "lab", **how})
