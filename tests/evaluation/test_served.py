"""Answers by a server of the model are those of the model."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest

from harness.common.errors import InputError
from harness.evaluation.benchmarks import SAMPLING
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


@pytest.fixture
def asked() -> Iterator[tuple[Server, list[dict[str, Any]], list[Any]]]:
    """A server that keeps what it is asked, and answers in turn with what is given."""
    heard: list[dict[str, Any]] = []
    replies: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            body = json.dumps(replies.pop(0)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=web.serve_forever, daemon=True).start()
    with closing(Server(["sleep"], Path())) as server:
        server._child = subprocess.Popen(["sleep", "60"], start_new_session=True)
        server._url, server._name = f"http://127.0.0.1:{web.server_port}", "tiny"
        yield server, heard, replies
    web.shutdown()
    web.server_close()


def test_a_server_samples_and_stops_as_the_model_would_here(
    asked: tuple[Server, list[dict[str, Any]], list[Any]],
) -> None:
    server, heard, replies = asked
    replies.append({"choices": [{"text": "one\ntwo"}]})
    how = {"until": ["\n"], "max_gen_toks": 5, "do_sample": True, "temperature": 0.8}
    answers = server.answers([[1, 2]], [{**how, **SAMPLING}], 0, lambda *_: None, [7])
    assert answers == ["one"]
    wanted = {"temperature": 0.8, "top_k": 50, "top_p": 1.0, "stop_token_ids": [7], "stop": ["\n"]}
    assert {key: heard[0][key] for key in wanted} == wanted


@pytest.mark.parametrize("reply", [[], {"choices": [{"text": None}]}, {"choices": None}, {}])
def test_an_answer_in_another_form_is_one_line(
    asked: tuple[Server, list[dict[str, Any]], list[Any]], reply: object
) -> None:
    server, _, replies = asked
    replies.append(reply)
    with pytest.raises(InputError, match=r"^evaluate\.server: sleep") as caught:
        server.answers([[1, 2]], [{"max_gen_toks": 5}], 0, lambda *_: None)
    assert "\n" not in str(caught.value)


def test_a_server_that_cannot_be_asked_is_refused() -> None:
    for how, rule in (
        ({"backend": "endpoint"}, "no command with {model}, {port}"),
        ({"server": SERVER}, "hf, which asks no server"),
        ({"backend": "vllm", "processes": 2}, "say processes: 1"),
    ):
        with pytest.raises(ValueError, match=rule):
            EvaluateParams.model_validate({"suite": "lab", **how})
