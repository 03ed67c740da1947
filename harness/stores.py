"""Where things lie that are outside DVC's cache: scratch folders, models, shared data.

Every place is found by absolute path from the real repository, so that a run in one of DVC's
temporary experiment folders shares them with the workspace.
"""

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import InputError
from harness.refusals import naming

log = logging.getLogger(__name__)


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
        raise InputError(f"{folder}: no such data folder; set SHARED_DATA to where it lies")
    return folder


def model_store() -> Path:
    """The folder of trained weights, one folder a run, named by the hash of what made it."""
    return repo_root() / ".store" / "models"


def scratch_folder(stage: str, config_hash: str) -> Path:
    """A folder that outlives a killed stage, named by the hash of its configuration."""
    folder = repo_root() / ".store" / "scratch" / stage / config_hash[:24]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run_lock() -> Path:
    """What is held while `make repro` runs, against a second one and a change of preset."""
    folder = repo_root() / ".store"
    folder.mkdir(exist_ok=True)
    return folder / "run"


@contextmanager
def locked(path: Path, say: Callable[[str], None] = log.info) -> Iterator[None]:
    """Hold a folder, or a file in one, against other processes; waits for whoever holds it.

    The kernel drops the lock when its holder dies, so a kill never leaves it behind. ``say`` is
    told who holds it, and since when.
    """
    lock = path / ".lock" if path.is_dir() else path.with_name(f".{path.name}.lock")
    with lock.open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            say(f"{path}: waiting for process {stream.read() or '?'}")
            fcntl.flock(stream, fcntl.LOCK_EX)
        with naming(lock):
            stream.truncate(0)
            stream.write(f"{os.getpid()}, at work since {time.strftime('%H:%M:%S')}")
            stream.flush()
        yield
