"""A hub on this machine: folders served as the Hugging Face hub serves repositories of datasets.

Only what reading a public dataset asks for: https://huggingface.co/docs/hub/api.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def local_hub(folder: Path) -> Iterator[str]:
    """Serve ``folder/<owner>/<name>/<files>`` and yield the address."""

    class Handler(_Hub):
        root = folder

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Hub(BaseHTTPRequestHandler):
    root: Path

    def do_HEAD(self) -> None:
        self._resolve(body=False)

    def do_GET(self) -> None:
        parts = [unquote(p) for p in urlsplit(self.path).path.strip("/").split("/")]
        if parts[0] == "api" and parts[1] in ("datasets", "models"):
            self._api(parts[2:])
        else:
            self._resolve(body=True)

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
        wanted = (
            json.loads(sent)["paths"] if sent.startswith("{") else parse_qs(sent).get("paths", [])
        )
        parts = [unquote(p) for p in urlsplit(self.path).path.strip("/").split("/")]
        files = self._files("/".join(parts[2:4]))
        self._answer([entry for entry in files if entry["path"] in wanted])

    def _files(self, name: str) -> list[dict[str, object]]:
        files = sorted(p for p in (self.root / name).rglob("*") if p.is_file())
        return [
            {
                "type": "file",
                "path": p.relative_to(self.root / name).as_posix(),
                "size": p.stat().st_size,
                "oid": "0" * 40,
            }
            for p in files
        ]

    def _api(self, parts: list[str]) -> None:
        name, rest = "/".join(parts[:2]), parts[2:]
        if not (self.root / name).is_dir():
            self._missing("RepoNotFound")
        elif rest[:1] == ["tree"]:
            self._answer(self._files(name))
        elif rest[:1] == ["revision"] and rest[1] not in (COMMIT, "main"):
            self._missing("RevisionNotFound")
        else:
            siblings = [{"rfilename": f["path"]} for f in self._files(name)]
            card = {"license": "cc-by-nc-4.0"}
            self._answer({"id": name, "sha": COMMIT, "siblings": siblings, "cardData": card})

    def _resolve(self, body: bool) -> None:
        parts = [unquote(p) for p in urlsplit(self.path).path.strip("/").split("/")]
        path = self.root.joinpath(*parts[1:3], *parts[5:])
        if parts[0] != "datasets" or not path.is_file():
            self._missing("EntryNotFound")
            return
        data = path.read_bytes()
        start = 0
        if asked := self.headers.get("Range"):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start = int(first)
            data = data[start : int(last) + 1 if last else None]
        self._answer(data, body, 206 if asked else 200)

    def _missing(self, code: str) -> None:
        self._answer({"error": code}, status=404, code=code)

    def _answer(
        self, value: object, body: bool = True, status: int = 200, code: str | None = None
    ) -> None:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{len(data):040x}"')
        if code:
            self.send_header("X-Error-Code", code)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on the tests' output."""
