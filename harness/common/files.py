"""Reads, writes and hashes files; a reader never sees one half written."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.common.disk_errors import naming
from harness.common.errors import InputError, one_line

if TYPE_CHECKING:
    import numpy as np

# A temporary name has its target and the process that writes it, so that what a killed process left
# behind is distinct from what a living one is writing.
_TEMPORARY = re.compile(r"\.(?P<target>.+)\.tmp(?P<pid>\d+)\.\w{8}(\.[^.]*)?")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block succeeds.

    If the block raises, ``path`` stays as it was and no temporary file is left. What a killed
    process left of the same ``path`` is removed first.
    """
    _make_room(path)
    # mkstemp makes files private; results are for whoever may read the folder.
    with _taking_place(_beside(path), path, 0o666) as temporary:
        yield temporary


def try_replacing(path: Path) -> None:
    """Raise OSError where `replacing` would: no permission to write, too long a name."""
    _beside(path).unlink()


def _beside(path: Path) -> Path:
    prefix = f".{path.name}.tmp{os.getpid()}."
    try:
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=path.suffix, dir=path.parent)
    except OSError as error:
        error.filename = str(path)
        raise
    os.close(handle)
    return Path(name)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path`` that takes its place when the block succeeds."""
    _make_room(path)
    prefix = f".{path.name}.tmp{os.getpid()}."
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=path.parent))
    with _taking_place(folder, path, 0o777) as temporary:
        yield temporary


@contextmanager
def _taking_place(temporary: Path, path: Path, mode: int) -> Iterator[Path]:
    try:
        with naming(path, temporary):
            yield temporary
            temporary.chmod(mode & ~_umask())
            if temporary.is_dir():
                remove(path)
            temporary.replace(path)
    finally:
        remove(temporary)


def _make_room(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    for other in leftovers(path.parent.iterdir()):
        if (name := _TEMPORARY.fullmatch(other.name)) and name["target"] == path.name:
            remove(other)


def leftovers(paths: Iterable[Path]) -> list[Path]:
    """The temporary paths among these whose writer is no longer alive."""
    return [path for path in paths if being_written(path) is False]


def being_written(path: Path) -> bool | None:
    """Whether the writer of a temporary path is alive; None for any other path."""
    name = _TEMPORARY.fullmatch(path.name)
    return _alive(int(name["pid"])) if name else None


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with its content; do nothing where it is gone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # sends no signal, only checks
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's process
        pass
    return True


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: Path, value: object) -> None:
    """Write ``value`` as indented JSON; NaN and infinity are refused."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def html_json(value: object) -> str:
    """JSON for an element of a page: nothing in it ends the element, or begins a comment."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


def read_json(path: Path, remedy: str = "run its stage again") -> Any:  # noqa: ANN401  (any type)
    """Read a JSON file; InputError where it is missing or, with the ``remedy``, broken."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; run the stage that writes it (dvc repro)")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # the latter from many brackets in a row
        raise InputError(f"{path}: not JSON ({error}); {remedy}") from None


def read_array(path: Path, stage: str, mmap_mode: Literal["r"] | None = None) -> "np.ndarray":
    """Read a stage's ``.npy``; InputError where it is missing or broken."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; dvc repro {stage}")
    return load_array(path, f"dvc repro {stage}", mmap_mode)


def load_array(path: Path, remedy: str, mmap_mode: Literal["r"] | None = None) -> "np.ndarray":
    """The array of a ``.npy`` file; InputError with the ``remedy`` for anything else."""
    import numpy as np

    try:
        with path.open("rb") as stream:
            several = stream.read(2) == b"PK"  # a zip, which np.savez writes
        if not several:
            return np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    # A damaged file fails in many ways: by size, shape, token, zip entry.
    except Exception as error:
        raise InputError(f"{path}: not a .npy array ({one_line(error, 200)}); {remedy}") from None
    raise InputError(f"{path}: contains several arrays (.npz); {remedy}")


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_hash(path: Path) -> str:
    """SHA-256 over the names and bytes of a folder's files."""
    files = sorted(p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return value_hash([(p.relative_to(path).as_posix(), file_hash(p)) for p in files])


def value_hash(value: object) -> str:
    """SHA-256 of a value's canonical JSON, in hexadecimal."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def unnamed(folder: Path, named: set[Path]) -> list[Path]:
    """Paths in a folder that neither are nor contain ``named`` ones; and leftovers in those."""
    result: list[Path] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path in named:
            result += leftovers(path.rglob(".*"))
        elif not being_written(path):
            holds = any(path in other.parents for other in named)
            result += unnamed(path, named) if holds else [path]
    return result
