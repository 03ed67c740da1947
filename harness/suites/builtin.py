"""lm-eval's own task definitions, found by name without reading all of its thousands of files."""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.common.errors import InputError, nearest


@cache
def task_files() -> dict[str, list[Path]]:
    """lm-eval's task and group files by their names, without a leading underscore."""
    spec = find_spec("lm_eval")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    files: dict[str, list[Path]] = {}
    for path in sorted((Path(spec.submodule_search_locations[0]) / "tasks").rglob("*.yaml")):
        files.setdefault(path.stem.removeprefix("_"), []).append(path)
    return files


def task_file(name: str, where: str) -> Path:
    """The file that defines lm-eval's task or group of that name, which is the file's name, too.

    InputError, prefixed with ``where``, where there is none.
    """
    named = re.compile(
        rf"^['\"]?(?:task|group)['\"]?: *['\"]?{re.escape(name)}['\"]? *$", re.MULTILINE
    )
    for path in task_files().get(name, []):
        if named.search(path.read_text(encoding="utf-8")):
            return path
    raise InputError(f"{where}: lm-eval has no task {name!r}{nearest(name, task_files())}")


def builtin_tasks(name: str, where: str) -> list[dict[str, Any]]:
    """The definitions of a task, or of every task of a group, as lm-eval reads them.

    InputError as for `task_file`.
    """
    from lm_eval.tasks import TaskManager
    from lm_eval.tasks._index import Entry, Kind
    from lm_eval.tasks._yaml_loader import load_yaml

    # A group's members lie in its own folder: only that is indexed.
    folder = task_file(name, where).parent
    index = TaskManager(include_path=folder, include_defaults=False).task_index

    def leaves(entry: Entry) -> list[dict[str, Any]]:
        if entry.kind == Kind.TAG:
            names = sorted(entry.tags)
        elif entry.kind == Kind.GROUP:
            names = list(load_yaml(str(entry.yaml_path), resolve_func=False)["task"])
        else:
            return [{**load_yaml(str(entry.yaml_path)), "task": entry.name}]
        return [leaf for member in names for leaf in leaves(index[member])]

    return leaves(index[name])
