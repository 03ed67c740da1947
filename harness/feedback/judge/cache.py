"""A judge's answers on disk, one JSON line each: no question is paid for twice."""

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.common.disk_errors import naming
from harness.common.errors import InputError
from harness.common.files import value_hash

log = logging.getLogger(__name__)

SEAL = "sha256"  # of the rest of a line


@dataclass(frozen=True)
class Answer:
    """The answer to one prompt.

    If the endpoint gave no usage (`metered` is False), the tokens are upper bounds: the prompt's
    bytes and the answer's limit. A `flaw` says why no rating is read from the text.
    """

    text: str
    tokens_in: int
    tokens_out: int
    metered: bool = True
    flaw: str = ""  # cut off, or content that is not text

    @property
    def end(self) -> str:
        """The end of its text, in one line for a message."""
        return " ".join(self.text.split())[-100:]


class AnswerCache:
    """Answers by key, read at once and appended as they come.

    Each is one write of one line: a kill loses nothing written, and a line torn by a crash of the
    machine is skipped. Several processes may append to one file.
    """

    def __init__(self, path: Path, source: str) -> None:
        """Read the file; `source` is the endpoint and model whose tokens are counted.

        Raises InputError if the path is not a file or not such a cache.
        """
        self.path, self.source = path, source
        self.tokens_in = self.tokens_out = 0  # of all the source's answers
        self.answers: dict[str, Answer] = {}
        self._torn = False
        if path.exists():
            self._read()

    def prepare(self) -> None:
        """Create the file. Raises OSError with its name if that fails."""
        with naming(self.path):
            self.path.open("ab").close()

    def keep(self, key: str, answer: Answer) -> None:
        """Append an answer. Raises OSError with the file's name if that fails."""
        self._append({"key": key, "source": self.source, **asdict(answer)})
        self._take(key, self.source, answer)

    def forget(self, key: str) -> None:
        """Drop an answer; its tokens were paid for and stay counted."""
        self._append({"forget": key})
        del self.answers[key]

    def _append(self, row: dict[str, object]) -> None:
        row = {**row, SEAL: value_hash(row)}
        # Appended to a torn line, this one would be lost too.
        left = b"\n" * self._torn + json.dumps(row).encode() + b"\n"
        self._torn = True
        with naming(self.path), self.path.open("ab", buffering=0) as stream:
            while left:  # a nearly full disk takes a part, then raises
                left = left[stream.write(left) :]
        self._torn = False

    def _take(self, key: str, source: str, answer: Answer) -> None:
        self.answers[key] = answer
        if source == self.source:
            self.tokens_in += answer.tokens_in
            self.tokens_out += answer.tokens_out

    def _read(self) -> None:
        if not self.path.is_file():
            raise InputError(f"{self.path}: not a file, as a cache of answers is; move it away")
        with naming(self.path):
            data = self.path.read_bytes()
        self._torn = bool(data) and not data.endswith(b"\n")
        lines = [line for line in data.split(b"\n") if line.strip()]
        broken = 0
        for line in lines:
            try:
                row = _parsed(line)
                if row.keys() == {"forget"}:
                    self.answers.pop(row["forget"], None)
                else:
                    self._take(row.pop("key"), row.pop("source"), Answer(**row))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                broken += 1
        # A crash tears a line or two; a file without an intact line is something else.
        if broken == len(lines) > 1:
            rule = "not a cache of answers; name another file, or move it away"
            raise InputError(f"{self.path}: {rule}")
        if broken:
            log.warning("%s: %d lines are torn or altered and skipped", self.path, broken)


def _parsed(line: bytes) -> dict[str, Any]:
    """A line without its hash; ValueError where it was altered."""
    row = json.loads(line)
    # Answers of older versions have no hash.
    if SEAL in row and row.pop(SEAL) != value_hash(row):
        raise ValueError
    return row
