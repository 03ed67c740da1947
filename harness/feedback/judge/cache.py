"""A judge's answers on disk, a line of JSON each: what was paid for once is not asked again."""

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

    Where the endpoint gave no usage (`metered` is False) the tokens are upper bounds: the bytes of
    the prompt, and the answer's limit. A `flaw` says why no rating is read from the text.
    """

    text: str
    tokens_in: int
    tokens_out: int
    metered: bool = True
    flaw: str = ""  # cut off, or a content that is no text

    @property
    def end(self) -> str:
        """The end of its text, in one line for a message."""
        return " ".join(self.text.split())[-100:]


class AnswerCache:
    """Answers by key, read at once, and appended to as they come.

    Each is one write of one line: a kill loses none that was kept, and a line torn by a crash of
    the machine is skipped. Several processes may append to one file.
    """

    def __init__(self, path: Path, source: str) -> None:
        """Read the file; `source` names endpoint and model, for whom tokens are added up.

        Raises InputError where the path is no file or not such a cache.
        """
        self.path, self.source = path, source
        self.tokens_in = self.tokens_out = 0  # of all answers of the source
        self.found: dict[str, Answer] = {}
        self._torn = False
        if path.exists():
            self._read()

    def prepare(self) -> None:
        """Make the file. Raises OSError, with a name, where the disk refuses it."""
        with naming(self.path):
            self.path.open("ab").close()

    def keep(self, key: str, answer: Answer) -> None:
        """Append an answer. Raises OSError, with the file's name, where the disk refuses."""
        self._append({"key": key, "source": self.source, **asdict(answer)})
        self._take(key, self.source, answer)

    def forget(self, key: str) -> None:
        """Drop an answer; its tokens, which were paid for, stay counted."""
        self._append({"forget": key})
        del self.found[key]

    def _append(self, row: dict[str, object]) -> None:
        row = {**row, SEAL: value_hash(row)}
        # The line after a torn one would be lost with it.
        left = b"\n" * self._torn + json.dumps(row).encode() + b"\n"
        self._torn = True
        with naming(self.path), self.path.open("ab", buffering=0) as stream:
            while left:  # a disk nearly full takes a part, then says why
                left = left[stream.write(left) :]
        self._torn = False

    def _take(self, key: str, source: str, answer: Answer) -> None:
        self.found[key] = answer
        if source == self.source:
            self.tokens_in += answer.tokens_in
            self.tokens_out += answer.tokens_out

    def _read(self) -> None:
        if not self.path.is_file():
            raise InputError(f"{self.path}: a cache of answers is a file; move what is there away")
        with naming(self.path):
            data = self.path.read_bytes()
        self._torn = bool(data) and not data.endswith(b"\n")
        lines = [line for line in data.split(b"\n") if line.strip()]
        broken = 0
        for line in lines:
            try:
                row = _parsed(line)
                if row.keys() == {"forget"}:
                    self.found.pop(row["forget"], None)
                else:
                    self._take(row.pop("key"), row.pop("source"), Answer(**row))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                broken += 1
        # A crash tears a line or two; a file without any whole one is something else.
        if broken == len(lines) > 1:
            raise InputError(
                f"{self.path}: no cache of answers; name another file, or move it away"
            )
        if broken:
            log.warning("%s: %d lines are torn or altered and passed over", self.path, broken)


def _parsed(line: bytes) -> dict[str, Any]:
    """A line without its hash; ValueError where it is not as it was written."""
    row = json.loads(line)
    # The answers of older versions, which were paid for too, have no hash.
    if SEAL in row and row.pop(SEAL) != value_hash(row):
        raise ValueError
    return row
