"""`make preset PRESET=name`: write params.yaml from conf/base.yaml and conf/name.yaml."""

import argparse
import re
import shutil
from pathlib import Path
from typing import Any

from harness.check.check import check_values
from harness.common.disk_errors import ending_in_one_line
from harness.common.errors import InputError, nearest, one_line, shown
from harness.common.files import replacing
from harness.common.stores import locked, run_lock
from harness.common.yaml_files import parse_yaml, read_yaml, yaml_text
from pipeline.make.dvc_lock import read_stages
from pipeline.make.pins import pinned, read_pins
from pipeline.make.source_hashes import check_pool, record_pool
from pipeline.make.yaml_edits import merged

PRESET = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
BASE = "base"  # what every preset starts from, by itself or by the file that it extends
EXTENDS = re.compile(r"^extends:[ \t]*(.*?)[ \t]*(?:#.*)?$", re.MULTILINE)
ADDED = re.compile(r"^[ \t]*\w+_sha256: \S+[ \t]*\n|, \w+_sha256: \w+", re.MULTILINE)
EDITED = "params.{}.edited.yaml"  # the user's edits of a preset, while another is in use


def switch_preset(root: Path, preset: str, pool: str | None = None) -> list[str]:
    """Put a preset's params in place; returns what was written, kept and restored, a line each.

    ``pool`` becomes ``prepare.source``: a file's path or a hub id.

    Raises:
        InputError: an unknown preset, one that `make check` would refuse, an unreadable pool, a
            params.yaml that names no preset, or edits that would replace others that are kept;
            nothing is written then.
    """
    current = current_preset(root)
    locked_by = _preset_of_lock(root, current)
    edited = [path.name.split(".")[1] for path in sorted(root.glob(EDITED.format("*")))]
    known = {*presets(root), *edited, *([current] if current else [])}
    if preset not in known:
        raise InputError(f"conf/: no preset is called {preset!r}{nearest(preset, known)}")
    if pool is not None:
        check_pool(pool)
    if current != preset:
        text = _checked_text(root, preset, pool)
        lines = _put_away(root, current) if current else []
        lines.append(_bring_in(root, preset, text))
    elif pool is not None:
        _refuse(read_yaml(root / "params.yaml"), "params.yaml", pool)
        lines = []
    else:
        lines = _already(root, preset)
    # Of params.yaml, of one that is gone, or of a killed switch.
    if locked_by not in (preset, None):
        lines += _switch_lock(root, locked_by, preset)
    return lines + (record_pool(root, pool) if pool else [])


def presets(root: Path) -> dict[str, Path]:
    """The presets by name: the files of ``conf/`` that name one, but the base of all."""
    files = _conf_files(root)
    files.pop(BASE, None)
    named = re.compile(r"^preset:", re.MULTILINE)
    return {name: path for name, path in files.items() if named.search(yaml_text(path))}


def of_size(root: Path, preset: str | None, size: str | None) -> str | None:
    """The name of a preset in a size: smollm2 in size gpu is smollm2_gpu.

    InputError, with the choices, for a size that the preset does not come in.
    """
    if not size:
        return preset
    if not preset:
        raise InputError(f"SIZE={shown(size)} needs a preset to go with it: PRESET=... SIZE=...")
    known = presets(root)
    if f"{preset}_{size}" in known:
        return f"{preset}_{size}"
    if preset not in known:
        raise InputError(f"conf/: no preset is called {preset!r}{nearest(preset, known)}")
    sizes = [name.removeprefix(f"{preset}_") for name in known if name.startswith(f"{preset}_")]
    choices = f"choices: {', '.join(sizes)}, or none" if sizes else "leave SIZE out"
    raise InputError(f"SIZE={shown(size)}: {preset} does not come in it; {choices}")


def preset_text(root: Path, preset: str) -> str:
    """The whole of params.yaml for a preset: ``conf/base.yaml``, and what the preset changes.

    A file with ``extends: other`` starts from conf/other.yaml, which starts from the base, or from
    another in turn. What it takes from the hub at no revision gets that of conf/pins.yaml.
    InputError names the file, and the line, that is wrong.
    """
    base = root / "conf" / f"{BASE}.yaml"
    if not isinstance(read_yaml(base), dict) or not read_yaml(base):
        raise InputError(f"{base}: not a table of params; git checkout conf brings it back")
    text, chain = yaml_text(base), [root / "conf" / f"{preset}.yaml"]
    while (older := _extended(root, chain)) is not None:
        chain.insert(0, older)
    for path in chain:
        text = _merged_text(text, path)
    values = _loaded(text, chain[-1])
    if values["preset"] != preset:
        rule = "a preset has the name of its file"
        raise InputError(f"{chain[-1]}: `preset: {shown(values['preset'])}`; {rule}")
    return pinned(text, values, read_pins(root))


def _conf_files(root: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted((root / "conf").glob("*.yaml"))}


def _extended(root: Path, chain: list[Path]) -> Path | None:
    """The file that the first of a chain extends; None where that is the base."""
    path, files = chain[0], _conf_files(root)
    match = EXTENDS.search(yaml_text(path))
    name = match[1] if match else BASE
    if name not in files:
        rule = f"extends: conf/ has no file {shown(repr(name))}"
        raise InputError(f"{path}: {rule}{nearest(name, files)}")
    if files[name] in chain:
        raise InputError(f"{path}: extends: {name}, which extends {path.stem} in turn; remove one")
    return None if name == BASE else files[name]


def _merged_text(whole: str, path: Path) -> str:
    """A text of params with a file's changes in it."""
    import yaml

    # The line itself is no param; the others keep their numbers.
    whole, changes = whole.rstrip("\n") + "\n", EXTENDS.sub("", yaml_text(path), count=1)
    try:
        text = merged(whole, changes)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 - whole.count("\n") if mark else 1
        # What merging refuses says itself what is wrong.
        kind = "" if type(error) is yaml.MarkedYAMLError else "not YAML: "
        raise InputError(f"{path}, line {line}: {kind}{one_line(error.problem)}") from None
    _loaded(text, path)
    return text


def _loaded(text: str, path: Path) -> Any:  # noqa: ANN401  (any type)
    """The values of merged params; InputError where the file does not fit into what it extends."""
    from ruamel.yaml import YAML, YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        reason = one_line(getattr(error, "problem", None) or error)
        remedy = "indent and nest it as conf/base.yaml does"
        raise InputError(f"{path}: does not fit into conf/base.yaml ({reason}); {remedy}") from None


def current_preset(root: Path) -> str | None:
    """The preset params.yaml belongs to; None where there is none, or an empty one."""
    path = root / "params.yaml"
    if not path.is_file() or not path.read_bytes().strip():
        return None
    values = read_yaml(path)
    name = values.get("preset") if isinstance(values, dict) else None
    # It becomes part of a file's name.
    if not isinstance(name, str) or not PRESET.fullmatch(name):
        rule = "does not name a preset (letters, digits and _)"
        remedy = "correct the line, or remove the file"
        raise InputError(f"{path.name}: `preset:` {rule}; {remedy}")
    return name


def _preset_of_lock(root: Path, current: str | None) -> str | None:
    """The preset that dvc.lock is of: the recorded one, else that of params.yaml, if any.

    They differ after a switch that was killed. A preset that the user made from another by its name
    alone goes on with the lock of that one.
    """
    import yaml

    if current is not None and current not in presets(root):
        return current
    try:
        stages = read_stages(root / "dvc.lock")
    except (InputError, UnicodeDecodeError, yaml.YAMLError):  # DVC says that it is broken
        return current
    for _, stage in sorted(stages.items(), key=lambda item: item[0] != "prepare"):
        recorded = ((stage or {}).get("params") or {}).get("params.yaml") or {}
        name = recorded.get("preset")
        if isinstance(name, str) and PRESET.fullmatch(name):
            return name
    return current


def is_edited(root: Path, preset: str) -> bool:
    """Whether params.yaml differs from what the preset, the one it holds, would write.

    Hashes that `make repro` adds are no edits.
    """
    if preset not in presets(root):
        return True
    written, shipped = yaml_text(root / "params.yaml"), preset_text(root, preset)
    return ADDED.sub("", written) != ADDED.sub("", shipped)


def _already(root: Path, preset: str) -> list[str]:
    """What to say where params.yaml is of the preset that was asked for."""
    undo = f", with your edits; rm params.yaml && make preset PRESET={preset} undoes them"
    edited = preset in presets(root) and is_edited(root, preset)
    lines = [f"params.yaml holds {preset} already{undo if edited else ''}"]
    name = EDITED.format(preset)
    return lines + [f"{name}: other edits of {preset}; cp {name} params.yaml"] * (
        (root / name).is_file()
    )


def _put_away(root: Path, preset: str) -> list[str]:
    """Keep the edits of the preset that is being left."""
    edited = root / EDITED.format(preset)
    if not is_edited(root, preset):
        return []
    if edited.is_file() and edited.read_bytes() != (root / "params.yaml").read_bytes():
        raise InputError(
            f"{edited.name}: other edits of {preset}, and params.yaml has new ones; "
            "rename or remove it, then switch"
        )
    _copy(root / "params.yaml", edited)
    return [f"{edited.name}: your edits of {preset}; they come back with PRESET={preset}"]


def _checked_text(root: Path, preset: str, pool: str | None) -> str:
    """What params.yaml will hold, but for the pool; InputError where it has problems."""
    edited = root / EDITED.format(preset)
    path = edited if edited.is_file() else root / "conf" / f"{preset}.yaml"
    text = yaml_text(path) if path == edited else preset_text(root, preset)
    _refuse(parse_yaml(text, path), path.relative_to(root).as_posix(), pool)
    return text


def _refuse(values: object, file: str, pool: str | None) -> None:
    """Raise InputError where `make check` would refuse the values, with that pool."""
    if pool is not None and isinstance(values, dict):
        values = {**values, "prepare": {**(values.get("prepare") or {}), "source": pool}}
    problems = check_values(values, file)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise InputError(f"{problems[0]}{more}; params.yaml stays as it was")


def _bring_in(root: Path, preset: str, text: str) -> str:
    edited = root / EDITED.format(preset)
    if edited.is_file():
        edited.replace(root / "params.yaml")
        return f"params.yaml: from {edited.name}, with your edits"
    with replacing(root / "params.yaml") as temporary:
        temporary.write_text(text, encoding="utf-8")
    return f"params.yaml: from conf/{preset}.yaml"


def _switch_lock(root: Path, left: str, preset: str) -> list[str]:
    """Keep the lock of the preset that is being left, and bring the other's, if it has one."""
    lock, aside = root / "dvc.lock", root / ".store" / "locks"
    if lock.is_file():
        _copy(lock, aside / f"{left}.lock")
    for path in (aside / f"{preset}.lock", root / "results" / preset / "dvc.lock"):
        if path.is_file():
            _copy(path, lock)
            return [f"dvc.lock: from {path.relative_to(root)}"]
    if not lock.is_file():
        return []
    lock.unlink()
    back = f"make preset PRESET={left} brings it back"
    return [f"dvc.lock: put away with its preset ({back}); {preset} has not run here yet"]


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)


def main() -> None:
    """Switch to the preset named, or list those there are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset", nargs="?", help="a file of conf/, without .yaml")
    parser.add_argument("--pool", help="what becomes prepare.source: a file or a hub id")
    parser.add_argument("--size", help="gpu: conf/<preset>_gpu.yaml instead")
    arguments = parser.parse_args()
    root = Path.cwd()
    with ending_in_one_line():
        preset = of_size(root, arguments.preset, arguments.size)
        if preset is None:
            named = ", ".join(presets(root))
            raise InputError(f"name a preset: make preset PRESET=...; choices: {named}")
        # What runs reads params.yaml at the start of each stage.
        with locked(run_lock(), lambda holder: print(f"preset: make repro runs; {holder}")):
            for line in switch_preset(root, preset, arguments.pool):
                print(f"preset: {line}")
    print("preset: dvc params diff shows what changed; make repro runs it")


if __name__ == "__main__":
    main()
