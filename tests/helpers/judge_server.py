"""A real HTTP server on loopback that answers a judge's questions as a test has set it."""

import json
import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

    from harness.common.errors import InputError


FAST = {"model": "m", "backoff_s": 0.01, "timeout_s": 5.0, "retries": 2}


KEY = "sk-loopback-7f3a9c2e51d84b60"


@dataclass
class Reply:
    """What one request gets."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    after_s: float = 0.0
    drip_s: float = 0.0  # between the bytes of the body


@dataclass
class Seen:
    """What the server saw of one request."""

    prompt: str
    authorization: str
    body: dict[str, Any]
    at: float


def rated(text: str, tokens: tuple[int, int] | None = (100, 10), after_s: float = 0.0) -> Reply:
    """A completion of that text."""
    message = {"role": "assistant", "content": text}
    body: dict[str, Any] = {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "judge",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
    }
    if tokens is not None:
        read, written = tokens
        body["usage"] = {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        }
    headers = {"Content-Type": "application/json"}
    return Reply(200, json.dumps(body).encode(), headers, after_s)


def parts_of(prompt: str) -> tuple[str, str, str]:
    """Question, first and second answer of a pairwise prompt, found by its marks alone."""
    mark = prompt[: prompt.index("]")].rpartition(" ")[2]
    texts = []
    for head in ("Question", "Answer 1 begins", "Answer 2 begins"):
        _, _, rest = prompt.partition(f"[{head} {mark}]\n")
        texts.append(re.split(rf"\n\[[^\n]* {mark}\]", rest, maxsplit=1)[0])
    return texts[0].removesuffix("\n"), texts[1], texts[2]


def comparing(rate: Callable[[str], object]) -> "Answering":
    """A judge that gives each answer what `rate` says of it, whatever the order."""

    def answering(place: int, seen: Seen) -> Reply:
        _, first, second = parts_of(seen.prompt)
        return rated(f"{rate(first)} {rate(second)}\nThat is why.")

    return answering


def failed(status: int, message: str = "broken", **headers: str) -> Reply:
    """An error as such endpoints word it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps({"error": {"message": message, "type": "x", "code": None}}).encode()
    return Reply(status, body, {"Content-Type": "application/json", **named})


Answering = Callable[[int, Seen], Reply]  # from the request's place in the order, from 0


class JudgeServer:
    """Serves while its block lasts, and remembers what it was asked."""

    def __init__(self, answering: Answering) -> None:
        self.answering = answering
        self.seen: list[Seen] = []
        self.under_way = self.most_under_way = 0
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def prompts(self) -> Counter[str]:
        """How often each prompt was asked."""
        return Counter(seen.prompt for seen in self.seen)

    def start(self) -> None:
        """Serve in a thread."""
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Close the port."""
        self._http.shutdown()
        self._http.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Remember the request, and send what the test has for it."""
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        authorization = handler.headers.get("Authorization", "")
        seen = Seen(body["messages"][0]["content"], authorization, body, time.monotonic())
        with self._lock:
            place = len(self.seen)
            self.seen.append(seen)
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        reply = self.answering(place, seen)
        time.sleep(reply.after_s)
        with self._lock:
            self.under_way -= 1
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(reply.body)))
        handler.end_headers()
        pieces = [reply.body[i : i + 1] for i in range(len(reply.body))]
        for piece in pieces if reply.drip_s else [reply.body]:
            handler.wfile.write(piece)
            time.sleep(reply.drip_s)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                try:
                    server.answer(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # a client that waits no longer

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler


@contextmanager
def serving(answering: Answering) -> Iterator[JudgeServer]:
    """A server for the length of a block."""
    server = JudgeServer(answering)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def pairs(n: int) -> list[tuple[str, str]]:
    """So many exchanges that differ."""
    return [("Why?", str(i)) for i in range(n)]


def leaked(secret: str, text: str) -> set[str]:
    """The pieces of a secret, of eight signs, that a text holds."""
    return {secret[i : i + 8] for i in range(len(secret) - 7) if secret[i : i + 8] in text}


def message_of(error: "pytest.ExceptionInfo[InputError]") -> str:
    """The message, once it is seen to be one line without the key."""
    text = str(error.value)
    assert "\n" not in text
    assert not leaked(KEY, text)
    assert error.value.__cause__ is None
    return text


@contextmanager
def secret_key(
    monkeypatch: "pytest.MonkeyPatch",
    caplog: "pytest.LogCaptureFixture",
    capfd: "pytest.CaptureFixture[str]",
    folder: Path,
) -> Iterator[None]:
    """Give the judge its key; at the end no log record, output or file may hold it."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    caplog.set_level(logging.DEBUG)
    yield
    for record in caplog.records:
        assert not leaked(KEY, record.getMessage())
        assert not leaked(KEY, repr(record.__dict__))
    assert not leaked(KEY, "".join(capfd.readouterr()))
    for path in folder.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes()


NONSENSE = [
    Reply(200, b"<html>Welcome</html>", {"Content-Type": "text/html"}),
    Reply(200, b'{"choices": [', {"Content-Type": "application/json"}),
    Reply(200, b'{"choices": []}', {"Content-Type": "application/json"}),
    Reply(200, b'{"choices": [7]}', {"Content-Type": "application/json"}),
    Reply(200, b'{"error": {"message": "x"}}', {"Content-Type": "application/json"}),
    Reply(200, b'["[[5]]"]', {"Content-Type": "application/json"}),
    Reply(200, b"\xff\xfe\x00", {"Content-Type": "application/json"}),
    Reply(204, b""),
    rated("no number"),
    rated("[[11]]"),
]
