"""Values of a YAML file that its readers take for different things."""

from collections.abc import Iterator
from pathlib import Path

from harness.errors import one_line


def yaml_traps(path: Path, values: object) -> Iterator[str]:
    """Scalars that YAML 1.1 readers (PyYAML) take for something else than DVC's YAML 1.2.

    A line each; values is what the file holds to DVC.
    """
    import yaml

    try:
        other = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark is not None else ""
        reason = one_line(getattr(error, "problem", None) or error)
        yield f"{where}DVC can read this, other readers cannot ({reason}); write it in plain words"
        return
    for where, ours, theirs in _differing(values, other, ""):
        # 1e-3 is a number to DVC and to us, text to PyYAML: harmless, as nothing reads it so.
        if isinstance(ours, float) and isinstance(theirs, str):
            continue
        yield f"{where}: read as {ours!r} by DVC and as {theirs} by other readers; quote it"


def _differing(ours: object, theirs: object, where: str) -> Iterator[tuple[str, object, str]]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if len(ours) != len(theirs):  # on and yes are one key to them
            for key, value in ours.items():
                if key not in theirs:
                    yield f"{where}{key}", key, "another key"
                else:
                    yield from _differing(value, theirs[key], f"{where}{key}.")
            return
        for mine, yours in zip(ours.items(), theirs.items(), strict=True):
            if mine[0] != yours[0]:
                yield f"{where}{mine[0]}", mine[0], repr(yours[0])
            yield from _differing(mine[1], yours[1], f"{where}{mine[0]}.")
    elif isinstance(ours, list) and isinstance(theirs, list):
        for i, (mine, yours) in enumerate(zip(ours, theirs, strict=True)):
            yield from _differing(mine, yours, f"{where}{i}.")
    elif not (ours != ours and theirs != theirs) and (type(ours), ours) != (type(theirs), theirs):
        yield where.rstrip("."), ours, repr(theirs)
