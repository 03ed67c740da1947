"""What the path of a source names (a file, a folder, a hub id), and where that is."""

import re
from pathlib import Path

from harness.common.errors import InputError
from harness.common.stores import repo_root, shared_data

SHARED = "shared:"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")  # @revision
FILE_ENDINGS = (".json", ".jsonl", ".ndjson", ".parquet", ".gz", ".csv", ".tsv", ".txt", ".zip")


def kind_of(path: str) -> str:
    """The key in POOLS of a path as users write it."""
    if path == "lab":
        return "lab"
    place = locate(path)
    if place.is_dir():
        return "folder"
    looks_local = place.exists() or path.startswith((SHARED, ".", "/", "~"))
    if looks_local or path.lower().endswith(FILE_ENDINGS) or not HUB_ID.fullmatch(path):
        return "file"
    return "hub"


def on_hub(path: str) -> bool:
    """Whether a path is a hub id; one under the shared data is not, be that folder here or not."""
    return not path.startswith(SHARED) and kind_of(path) == "hub"


def locate(path: str) -> Path:
    """The file under the shared data, else under the working folder or the repository.

    InputError for a path that no file can have: too long a name, the home of an unknown user.
    """
    try:
        if path.startswith(SHARED):
            places = [shared_data() / path.removeprefix(SHARED)]
        else:
            given = Path(path).expanduser()
            places = [given, repo_root() / given]
        return next((place for place in places if place.exists()), places[-1])
    except (OSError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        remedy = "give a JSON, JSONL or Parquet file or a hub id"
        raise InputError(f"{path}: no such file ({why}); {remedy}") from None


def split_revision(path: str) -> tuple[str, str | None]:
    """A hub id and its ``@revision``, if any; any other path as it is, ``@`` included."""
    if kind_of(path) != "hub":
        return path, None
    hub_id, _, revision = path.partition("@")
    return hub_id, revision or None
