"""What differs from run to run, seconds and memory, in files apart: all others are byte-equal.

The JSON that a stage writes at ``data/scores.json`` has its timings at
``timings/data/scores.json``, in the same places of the same nesting, an output of its own.
"""

from pathlib import Path
from typing import Any

from harness.common.files import read_json, replacing_folder, write_json
from harness.common.layout import WORLDS

TIMINGS = Path("timings")
NAMES = frozenset({"seconds", "shared_seconds", "peak_memory_mb"})


def timings_of(path: Path) -> Path:
    """Where the timings of a file or folder are; those of another world in that world's folder."""
    if path.is_absolute():
        return path.parent / TIMINGS / path.name
    if path.is_relative_to(WORLDS):
        return Path(*path.parts[:2], TIMINGS, *path.parts[2:])
    return TIMINGS / path


def set_apart(folder: Path, place: Path, pattern: str = "*.json") -> None:
    """Move the timings out of a folder's JSON files; ``place`` is where the folder will be."""
    with replacing_folder(timings_of(place)) as apart:
        for file in sorted(folder.rglob(pattern)):
            rest, timings = _split(read_json(file))
            (apart / file.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            write_json(file, rest)
            write_json(apart / file.relative_to(folder), timings)


def write_timed(path: Path, content: object) -> None:
    """Write a JSON file, and its timings apart."""
    rest, timings = _split(content)
    timings_of(path).parent.mkdir(parents=True, exist_ok=True)
    write_json(timings_of(path), timings)
    write_json(path, rest)


def read_timed(path: Path, remedy: str = "run its stage again") -> Any:  # noqa: ANN401  (any type)
    """Read a JSON file with its timings; raises InputError where one of the two is missing."""
    content, apart = read_json(path, remedy), timings_of(path)
    return _joined(content, read_json(apart, remedy))


def _split(value: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """A value without its timings, and these in the same nesting; {} for none."""
    if isinstance(value, list):
        parts = [_split(one) for one in value]
        return [rest for rest, _ in parts], (
            [timings for _, timings in parts] if any(timings for _, timings in parts) else {}
        )
    if not isinstance(value, dict):
        return value, {}
    rest, timings = {}, {}
    for name, inner in value.items():
        if name in NAMES:
            timings[name] = inner
            continue
        rest[name], apart = _split(inner)
        if apart:
            timings[name] = apart
    return rest, timings


def _joined(value: Any, timings: Any) -> Any:  # noqa: ANN401
    """A value with its timings; those of what it does not have are dropped."""
    if isinstance(value, list) and isinstance(timings, list):
        # Of other lengths only where a file was edited.
        apart = [*timings, *[{}] * len(value)]
        return [_joined(one, its) for one, its in zip(value, apart, strict=False)]
    if not (isinstance(value, dict) and isinstance(timings, dict)):
        return value
    own = {name: its for name, its in timings.items() if name in NAMES}
    return {name: _joined(one, timings.get(name, {})) for name, one in value.items()} | own
