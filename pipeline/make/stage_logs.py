"""Reads the log of a stage: what went wrong, and how far it has come."""

import re
from pathlib import Path

from harness.common.errors import shown

ERROR_LINE = re.compile(r"^(error|[\w.]*Error|[\w.]*Exception)\b.*:", re.IGNORECASE)


def fresh_log(log: Path) -> Path:
    """The path of a new log; the one before is kept beside it as ``<name>.1``."""
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))
    return log


def read_log(log: Path, start: int = 0) -> str:
    """A log's text from a byte on."""
    with log.open("rb") as stream:
        stream.seek(start)
        return stream.read().decode("utf-8", "replace")


def error_lines(log: Path, start: int = 0) -> list[str]:
    """The lines of a log that say what went wrong: the stage's own, else those of DVC."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", read_log(log, start)) if line.strip()]
    errors = [line for line in lines if ERROR_LINE.match(line)]
    of_stage = [line for line in errors if not line.startswith("ERROR: failed to reproduce")]
    return (of_stage or errors or lines or ["it printed nothing"])[-2:]


def note_lines(log: Path, start: int = 0) -> list[str]:
    """The lines of a stage that succeeded which its user should read.

    ``warning:`` needs the user's attention, ``note:`` is for information.
    """
    lines = re.split(r"[\r\n]+", read_log(log, start))
    return [line for line in lines if line.startswith(("warning: ", "note: "))]


def last_line(log: Path) -> str:
    """The last line that the stage itself wrote, not DVC; "" where there is none."""
    if not log.is_file():
        return ""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - 2000))
        text = stream.read().decode("utf-8", "replace")
    lines = [line.strip() for line in re.split(r"[\r\n]+", text)]
    own = [line for line in lines if line and not line.startswith((">", "Running stage"))]
    return shown(own[-1]) if own else ""
