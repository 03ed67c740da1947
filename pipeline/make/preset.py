"""`make preset PRESET=name`: write params.yaml from conf/name.yaml, the user's edits kept."""

import argparse
import shutil
from collections.abc import Mapping
from functools import reduce
from io import StringIO
from itertools import count
from operator import getitem
from pathlib import Path
from typing import Any

from harness.common.disk_errors import ending_in_one_line
from harness.common.errors import InputError, nearest
from harness.common.files import file_hash, replacing
from harness.common.stores import locked, run_lock
from harness.common.yaml_files import read_yaml


def switch_preset(root: Path, preset: str, pool: str | None = None) -> list[str]:
    """Put a preset's params in place; returns what was written, kept and restored, a line each.

    ``pool`` becomes ``prepare.source``: a file's path or a hub id.

    Raises:
        InputError: an unknown preset, a pool file that is not there, or a params.yaml that names
            no preset; nothing is written then.
    """
    current = _current_preset(root)
    known = {*presets(root), *_kept(root), *([current] if current else [])}
    if preset not in known:
        raise InputError(f"conf/: no preset is called {preset!r}{nearest(preset, known)}")
    if pool is not None:
        _check_pool(pool)
    told = []
    if current != preset:
        if current is not None:
            told += _put_away(root, current)
        told += _bring_in(root, preset)
    elif pool is None:
        told.append(f"params.yaml holds {preset} already{_edited_note(root, preset)}")
        if (kept := _edited_path(root, preset)).is_file():
            told.append(f"{kept.name}: other edits of {preset}; cp {kept.name} params.yaml")
    return told + (name_source(root, pool) if pool is not None else [])


def presets(root: Path) -> dict[str, Path]:
    """The presets by name: the params files of ``conf/``."""
    files = sorted((root / "conf").glob("*.yaml"))
    return {path.stem: path for path in files if "preset" in _mapping(path)}


def _mapping(path: Path) -> Mapping[str, Any]:
    values = read_yaml(path)
    return values if isinstance(values, Mapping) else {}


def _current_preset(root: Path) -> str | None:
    """The preset params.yaml is of; None where there is no params.yaml."""
    path = root / "params.yaml"
    if not path.is_file():
        return None
    name = _mapping(path).get("preset")
    if not isinstance(name, str):
        raise InputError(
            f"{path.name}: no `preset:` says which preset this is; add the line, or remove the file"
        )
    return name


def _check_pool(pool: str) -> None:
    from harness.common.locations import kind_of, locate

    if kind_of(pool) != "file":
        return
    rule = ""
    if not locate(pool).is_file():
        rule = "no regular file" if locate(pool).exists() else "no such file"
    else:
        try:
            with locate(pool).open("rb") as file:
                file.read(1)
        except OSError as error:
            rule = f"cannot be read ({error.strerror})"
    if rule:
        shown = " ".join(pool.split())  # a line break in a name would make two lines of it
        raise InputError(
            f"{shown}: {rule}; POOL is a JSON, JSONL or Parquet file, or a hub id (owner/name)"
        )


def name_source(root: Path, pool: str | None = None) -> list[str]:
    """Write a pool's name and hash into params.yaml, so that DVC sees when the file is edited.

    Without ``pool`` the hash of the source named there is renewed, if it has one.
    """
    from harness.pools.sources import source_hash

    path = root / "params.yaml"
    prepare = _mapping(path).get("prepare")
    current = dict(prepare) if isinstance(prepare, Mapping) else {}
    if pool is None and current.get("source_sha256") is None:
        return []
    source = pool or str(current.get("source"))
    values = {"source": source, "source_sha256": source_hash(source)}
    if pool is None and values["source_sha256"] is None:
        return []  # the file is gone: the stage that reads it says so
    if all(current.get(key) == value for key, value in values.items()):
        return []
    _set_values(path, "prepare", values)
    same = source == current.get("source") and current.get("source_sha256") is not None
    return [f"params.yaml: prepare.source = {source}" + (", which has been edited" if same else "")]


def name_template(root: Path) -> list[str]:
    """Write the hash of the base model's chat template into params.yaml, so that DVC sees it.

    For a folder or hub id alone: our own templates are among the deps of the stages. InputError
    where the template cannot be had, or would be refused later.
    """
    from harness.pools.rendering import template_hash

    values = _mapping(root / "params.yaml")
    base, prepare = values.get("base_model") or {}, values.get("prepare") or {}
    digest, source = None, str(base.get("source", "scratch"))
    if source != "scratch":
        from harness.models.template import source_tokenizer

        revision = base.get("revision")
        digest = template_hash(source_tokenizer(source, revision, str(values["template"])))
    # Twice: DVC compares the sections apart, and a key that is not there stops a stage it names.
    stale = [
        key
        for key, section in (("prepare", prepare), ("base_model", base))
        if section.get("template_sha256") != digest
    ]
    for key in stale:
        given = {"source": values[key]["source"], "template_sha256": digest}
        _set_values(root / "params.yaml", key, given)
    note = f"params.yaml: template_sha256, of the chat template of {source}"
    return [note] if stale else []


def name_score_files(root: Path) -> list[str]:
    """Write the hash of each file of scores into params.yaml, so that DVC sees an edit."""
    from harness.common.locations import locate

    told = []
    for name, item in (_mapping(root / "params.yaml").get("scorers") or {}).items():
        if item["scorer"] != "column" or not locate(item["file"]).is_file():
            continue  # of a file that is gone, the stage that reads it says so
        digest = file_hash(locate(item["file"]))
        if item.get("file_sha256") != digest:
            given = {"file": item["file"], "file_sha256": digest}
            _set_values(root / "params.yaml", f"scorers.{name}", given)
            told.append(f"params.yaml: scorers.{name}.file_sha256, of {item['file']}")
    return told


def _edited_path(root: Path, preset: str) -> Path:
    return root / f"params.{preset}.edited.yaml"


def _kept(root: Path) -> list[str]:
    """The names whose edits wait in a file: of presets, of other params, numbered ones."""
    names = sorted(path.name for path in root.glob("params.*.edited.yaml"))
    return [name.removeprefix("params.").removesuffix(".edited.yaml") for name in names]


def _lock_aside(root: Path, preset: str) -> Path:
    return root / ".store" / "locks" / f"{preset}.lock"


def _is_edited(root: Path, preset: str) -> bool:
    original = root / "conf" / f"{preset}.yaml"
    same = original.is_file() and original.read_bytes() == (root / "params.yaml").read_bytes()
    return not same


def _edited_note(root: Path, preset: str) -> str:
    if not (root / "conf" / f"{preset}.yaml").is_file() or not _is_edited(root, preset):
        return ""
    return f", with your edits; cp conf/{preset}.yaml params.yaml undoes them"


def _put_away(root: Path, preset: str) -> list[str]:
    """Keep the edits and the lock of the preset that is being left."""
    told = []
    edited = _edited_path(root, preset)
    if _is_edited(root, preset):
        if edited.is_file() and edited.read_bytes() != (root / "params.yaml").read_bytes():
            numbers = (n for n in count(1) if not _edited_path(root, f"{preset}.{n}").exists())
            name = f"{preset}.{next(numbers)}"
            edited.rename(_edited_path(root, name))
            older = _edited_path(root, name).name
            told.append(f"{older}: older edits of {preset}; they come back with PRESET={name}")
        _copy(root / "params.yaml", edited)
        told.append(f"{edited.name}: your edits of {preset}; they come back with PRESET={preset}")
    if (root / "dvc.lock").is_file():
        _copy(root / "dvc.lock", _lock_aside(root, preset))
    return told


def _bring_in(root: Path, preset: str) -> list[str]:
    edited = _edited_path(root, preset)
    source = edited if edited.is_file() else root / "conf" / f"{preset}.yaml"
    _copy(source, root / "params.yaml")
    told = [f"params.yaml: from {source.relative_to(root)}"]
    if source == edited:
        preset = _current_preset(root) or preset  # the edits of `lab.1` are of `lab`
        edited.unlink()
        told[0] += f", which is gone now{_edited_note(root, preset)}"
    locks = [_lock_aside(root, preset), root / "results" / preset / "dvc.lock"]
    lock = next((path for path in locks if path.is_file()), None)
    if lock is not None:
        _copy(lock, root / "dvc.lock")
        told.append(f"dvc.lock: from {lock.relative_to(root)}")
    elif (root / "dvc.lock").is_file():
        (root / "dvc.lock").unlink()
        told.append(f"dvc.lock: put away with its preset, {preset} has not run here yet")
    return told


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)


def _set_values(path: Path, section: str, values: Mapping[str, object]) -> None:
    """Set values in a section (``a.b``: in b of a) of a YAML file, its comments and order kept."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10_000  # a long line is not to be wrapped
    yaml.indent(mapping=2, sequence=4, offset=2)
    tree = yaml.load(path.read_text(encoding="utf-8"))
    node = reduce(getitem, section.split("."), tree)
    first = next(iter(values))
    for key, value in values.items():
        if key in node:
            node[key] = value
        elif value is not None:
            node.insert(list(node).index(first) + 1, key, value)  # beside what it belongs to
    text = StringIO()
    yaml.dump(tree, text)
    with replacing(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def main() -> None:
    """Switch to the preset named, or list those there are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset", nargs="?", help="a file of conf/, without .yaml")
    parser.add_argument("--pool", help="what becomes prepare.source: a file or a hub id")
    arguments = parser.parse_args()
    root = Path.cwd()
    with ending_in_one_line():
        if arguments.preset is None:
            named = ", ".join(presets(root))
            raise InputError(f"name a preset: make preset PRESET=...; {named}")
        # What runs reads params.yaml at the start of each stage.
        with locked(run_lock(), lambda told: print(f"preset: make repro runs; {told}")):
            for line in switch_preset(root, arguments.preset, arguments.pool):
                print(f"preset: {line}")
    print("preset: dvc params diff shows what changed; make repro runs it")


if __name__ == "__main__":
    main()
