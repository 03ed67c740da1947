"""Answers by a server of the model, such as vLLM's, which is started for each model and ended.

Any server of OpenAI's completions API will do that accepts a prompt as token ids, so that the model
reads what it would read here. Log-likelihoods stay here: servers give them for few tokens only, or
slowly.
"""

import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common.errors import InputError, shown
from harness.common.process_groups import Guard, end_groups
from harness.models.adapters import is_adapter
from harness.params.evaluation import EvaluateParams

if TYPE_CHECKING:
    from harness.evaluation.language_model import LanguageModel

VLLM = ["vllm", "serve", "{model}", "--host", "127.0.0.1", "--port", "{port}"]
VLLM += ["--gpu-memory-utilization", "0.6"]  # the model that gives log-likelihoods is beside it
_READY_S, _ANSWER_S = 1800, 3600  # a large model takes minutes to load; a queue takes long
_AT_ONCE = 64  # requests, which the server batches
_ODD = (KeyError, IndexError, TypeError, ValueError)  # of an answer in another form


@contextmanager
def served(lm: "LanguageModel", params: EvaluateParams, model: Path) -> Iterator[None]:
    """Let a server generate the model's answers meanwhile, unless the backend is ``hf``."""
    if params.backend == "hf":
        yield
        return
    command = params.server or VLLM
    with tempfile.TemporaryDirectory() as merged:
        if is_adapter(model):  # which servers would look for its base
            lm.model.save_pretrained(merged)
            lm.tokenizer.save_pretrained(merged)
            model = Path(merged)
        with closing(Server(command, model.resolve())) as server:
            lm.server = server
            yield
    lm.server = None


class Server:
    """A server of one model on this machine, started when it is first asked."""

    def __init__(self, command: Sequence[str], model: Path) -> None:
        import requests

        self.command, self.model = command, model
        self._child: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the server)
        self._guard: Guard | None = None
        self._url = self._name = ""
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy stands before this machine

    def answers(
        self,
        prompts: Sequence[list[int]],
        hows: Sequence[dict[str, Any]],
        seed: int,
        done: Callable[[int, str], object],
        stop_ids: Sequence[int] = (),
    ) -> list[str]:
        """The text for each prompt of token ids, as lm-eval's arguments of generation ask.

        Each has a seed of its own: the same prompt gets other answers. ``done`` gets an answer's
        place and text; ``stop_ids`` end an answer besides the model's own (vLLM's extension of the
        API). InputError where the server does not start or answer.
        """
        if self._child is None:
            self._start()

        def one(place: int) -> str:
            own = np.random.SeedSequence([seed, place])
            text = self._ask(prompts[place], hows[place], own, stop_ids)
            done(place, text)
            return text

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(one, range(len(prompts))))

    def _ask(
        self,
        prompt: list[int],
        how: dict[str, Any],
        seed: np.random.SeedSequence,
        stop_ids: Sequence[int],
    ) -> str:
        import requests

        until = how.get("until") or []
        stops = [until] if isinstance(until, str) else list(until)
        asked = {
            "model": self._name,
            "prompt": prompt,
            "max_tokens": how["max_gen_toks"],
            "temperature": how.get("temperature", 0.0) if how.get("do_sample") else 0.0,
            "seed": int(seed.generate_state(1)[0] >> 1),
            **{name: how[name] for name in ("top_p", "top_k") if name in how},
            **({"stop": stops[:4]} if stops else {}),  # the API's most
            **({"stop_token_ids": list(stop_ids)} if stop_ids else {}),
        }
        try:
            answer = self._session.post(f"{self._url}/completions", json=asked, timeout=_ANSWER_S)
            answer.raise_for_status()
            text = answer.json()["choices"][0]["text"]
            if not isinstance(text, str):
                raise ValueError(f"text is {text!r}")
        except (requests.RequestException, *_ODD) as error:
            raise InputError(f"{self._says()}: {shown(str(error), 200)}") from None
        for stop in stops:
            text = text.split(stop)[0] if stop else text
        return text

    def _start(self) -> None:
        import requests

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        words = [
            word.replace("{model}", str(self.model)).replace("{port}", str(port))
            for word in self.command
        ]
        self._guard = Guard()
        try:
            self._child = subprocess.Popen(
                words, stdout=self._log, stderr=self._log, start_new_session=True
            )
        except OSError as error:
            rule = f"{words[0]} cannot be run: {error.strerror}"
            raise InputError(f"evaluate.server: {rule}; see docs/suites.md") from None
        self._guard.watch([self._child.pid])
        self._url, begun = f"http://127.0.0.1:{port}/v1", time.monotonic()
        while not self._name:
            if self._child.poll() is not None or time.monotonic() - begun > _READY_S:
                raise InputError(f"{self._says()}: it serves no model")
            try:
                models = self._session.get(f"{self._url}/models", timeout=10).json()
                self._name = models["data"][0]["id"]
            except (requests.RequestException, *_ODD):
                time.sleep(0.2)

    def _says(self) -> str:
        """Which server, and the last that it said."""
        self._log.seek(0)
        lines = self._log.read()[-4000:].decode(errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
        return f"evaluate.server: {self.command[0]} (which said: {shown(said, 200)})"

    def close(self) -> None:
        """End the server and all its processes."""
        if self._child is not None:
            end_groups([self._child.pid])
            self._child.wait()
        if self._guard is not None:
            self._guard.close()
        self._session.close()
        self._log.close()
