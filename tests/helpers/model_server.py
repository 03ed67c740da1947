"""A server of a model: OpenAI's completions API over transformers. `... MODEL PORT`."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

LOCK = Lock()


def main() -> None:
    folder, port = sys.argv[1:]
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)

    def complete(asked: dict[str, Any]) -> str:
        ids = torch.tensor([asked["prompt"]])
        drawn = asked["temperature"] > 0
        how = {"temperature": asked["temperature"]} if drawn else {}
        with LOCK, torch.inference_mode():
            torch.manual_seed(asked["seed"])
            most = asked["max_tokens"]
            made = model.generate(ids, max_new_tokens=most, do_sample=drawn, **how)
        return tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def answer(self, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.answer({"data": [{"id": Path(folder).name}]})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert asked["model"] == Path(folder).name
            self.answer({"choices": [{"text": complete(asked)}]})

    ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


main()
