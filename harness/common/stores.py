"""Folders outside DVC's cache, and whether their files are still what was written.

They have absolute paths from the real repository, so that a run in one of DVC's temporary
experiment folders shares them with the workspace. ``files.json`` in each folder lists its files by
SHA-256, which is checked whenever they are read.
"""

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.common.disk_errors import naming
from harness.common.errors import InputError
from harness.common.files import file_hash, read_json, remove, replacing, write_json

log = logging.getLogger(__name__)

LISTING = "files.json"


def repo_root() -> Path:
    """The repository the user works in, also from a copy of it under ``.dvc/tmp/exps``."""
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file():
            here = folder
            break
    parts = here.parts
    for i in range(len(parts) - 2):
        if parts[i : i + 3] == (".dvc", "tmp", "exps"):
            return Path(*parts[:i])
    return here


def shared_data() -> Path:
    """The folder of real pools and benchmarks: ``SHARED_DATA``, else ``../shared/data``."""
    named = os.environ.get("SHARED_DATA")
    folder = Path(named) if named else repo_root().parent / "shared" / "data"
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such data folder; set SHARED_DATA to its path (docs/pools.md)"
        )
    return folder


def model_store() -> Path:
    """The folder of trained weights: one folder a run, named by the hash of its inputs."""
    return repo_root() / ".store" / "models"


def scratch_folder(stage: str, config_hash: str) -> Path:
    """A folder that outlives a killed stage, named by the hash of its configuration."""
    folder = scratch_path(stage, config_hash)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def scratch_path(stage: str, config_hash: str) -> Path:
    """Where that folder is, or would be."""
    return repo_root() / ".store" / "scratch" / stage / config_hash[:24]


def run_lock() -> Path:
    """What `make repro` locks while it runs, against a second one and a change of preset."""
    folder = repo_root() / ".store"
    folder.mkdir(exist_ok=True)
    return folder / "run"


@contextmanager
def locked(path: Path, say: Callable[[str], None] = log.info) -> Iterator[None]:
    """Lock a folder, or a file in one, against other processes; wait for whoever holds it.

    The kernel drops the lock when its holder dies, so a kill never leaves it behind. ``say`` gets a
    line with the process that holds it, and since when.
    """
    lock = path / ".lock" if path.is_dir() else path.with_name(f".{path.name}.lock")
    # Unbuffered: a write that a full disk refused is not retried.
    with lock.open("ab+", buffering=0) as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            say(f"{path}: waiting for process {stream.read().decode() or '?'}")
            fcntl.flock(stream, fcntl.LOCK_EX)
        with naming(lock):
            stream.truncate(0)
            stream.write(f"{os.getpid()}, at work since {time.strftime('%H:%M:%S')}".encode())
        yield


def seal(folder: Path) -> dict[str, str]:
    """List the files of a finished folder by SHA-256; without the list it counts as missing."""
    listed = {name: file_hash(folder / name) for name in sorted(_names(folder) - {LISTING})}
    write_json(folder / LISTING, listed)
    return listed


def kept(folder: Path, dropped: str = "") -> dict[str, str] | None:
    """The SHA-256 of each file of a sealed folder; None where the folder must be made.

    The log names a file that is gone, altered, new or unreadable. The sub-folder ``dropped`` may be
    gone as a whole.
    """
    if not folder.exists():
        return None
    listed, file = _check(folder, dropped)
    if file is None:
        return listed
    log.warning("%s; it is made again", _problem(file))
    return None


def read_sealed(folder: Path, remedy: str) -> dict[str, str]:
    """The SHA-256 of each file of a folder that another stage has sealed.

    InputError names a file that is gone, altered, new or unreadable, and the remedy.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; {remedy}")
    listed, file = _check(folder)
    if file is None:
        return listed or {}
    # DVC takes a file of the old size and time for unchanged, and would not run the stage again.
    with suppress(OSError):
        os.utime(file)
    raise InputError(f"{_problem(file)}; {remedy}")


@contextmanager
def keeping(path: Path) -> Iterator[Path]:
    """`replacing` for a file that is kept: it is listed, too."""
    with replacing(path) as temporary:
        yield temporary
        if (listed := _listed(path.parent)) is None:
            remove(path.parent / LISTING)  # whatever is there
        # Before the file itself: one that is listed but missing is simply made.
        write_json(path.parent / LISTING, {**(listed or {}), path.name: file_hash(temporary)})


def take_kept(path: Path) -> bool:
    """Whether a kept file is as it was written; one that is not is removed, and logged."""
    if not os.path.lexists(path):
        return False
    listed = _listed(path.parent) or {}
    if _digest(path) == listed.get(path.name, ""):
        return True
    unlisted = f"{path}: not listed (made by an older version)"
    log.warning("%s; it is made again", _problem(path) if path.name in listed else unlisted)
    remove(path)
    return False


def _check(folder: Path, dropped: str = "") -> tuple[dict[str, str] | None, Path | None]:
    """What a folder lists, and the first file that is not as listed."""
    if (listed := _listed(folder)) is None:
        return None, folder / LISTING
    names = _names(folder) - {LISTING} | set(listed)
    if dropped and not (folder / dropped).exists():
        names = {name for name in names if not name.startswith(f"{dropped}/")}
    damaged = (n for n in sorted(names) if _digest(folder / n) != listed.get(n, ""))
    name = next(damaged, None)
    return listed, None if name is None else folder / name


def _names(folder: Path) -> set[str]:
    """All files of a folder but hidden ones, which are locks or unfinished."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {p.as_posix() for p in paths if not any(part.startswith(".") for part in p.parts)}


def _listed(folder: Path) -> dict[str, str] | None:
    """The content of ``files.json``; None where the folder was never sealed, or it is damaged."""
    try:
        listed = read_json(folder / LISTING)
    except (InputError, OSError):
        return None
    return listed if isinstance(listed, dict) else None


def _digest(path: Path) -> str | None:
    try:  # a pipe would block; a device may have no end
        return file_hash(path) if path.is_file() else None
    except OSError:
        return None


def _problem(path: Path) -> str:
    return f"{path}: {'not what was written there' if path.exists() else 'no such file'}"
