"""The stages of dvc.yaml for some params, without DVC: which there are, and what each waits for."""

import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Any

from harness.common.errors import InputError

FILLED = re.compile(r"\$\{([^}]+)\}")


def stage_needs(stages: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, set[str]]:
    """What each stage waits for, by its name in DVC.

    Args:
        stages: those of dvc.yaml, in which templates are not filled in.
        values: of params.yaml.
    """
    deps: dict[str, list[str]] = {}
    made_by: dict[str, str] = {}
    inside: dict[str, set[str]] = {}  # the stages whose outs lie in a folder
    for name, entry in stages.items():
        for stage, names, body in _cells(name, entry, values):
            paths = {
                key: [_filled(_path(one), names) for one in body.get(key, ())]
                for key in ("deps", "outs", "metrics")
            }
            deps[stage] = paths["deps"]
            for out in (*paths["outs"], *paths["metrics"]):
                made_by[out] = stage
                for folder in _above(out):
                    inside.setdefault(folder, set()).add(stage)
    return {
        stage: set().union(
            *(inside.get(path, ()) for path in paths),
            (made_by[one] for path in paths for one in (path, *_above(path)) if one in made_by),
        )
        - {stage}
        for stage, paths in deps.items()
    }


def upstream(needs: Mapping[str, set[str]], targets: Iterable[str]) -> dict[str, set[str]]:
    """The stages that some targets need, upstream first, each with what it waits for."""
    ordered: dict[str, set[str]] = {}

    def visit(stage: str) -> None:
        if stage not in needs:
            raise InputError(f"dvc.yaml: no stage is called {stage!r}")
        if stage not in ordered:
            for need in sorted(needs[stage]):
                visit(need)
            ordered[stage] = needs[stage]

    for target in targets:
        visit(target)
    return ordered


def _cells(
    name: str, entry: Mapping[str, Any], values: Mapping[str, Any]
) -> Iterable[tuple[str, dict[str, Any], Mapping[str, Any]]]:
    """Each cell of a template: its name, the values that fill it, and its body."""
    if "foreach" in entry:
        for key, item in _value(entry["foreach"], values).items():
            yield f"{name}@{key}", {**values, "key": key, "item": item}, entry["do"]
    elif "matrix" in entry:
        axes = {axis: _value(listed, values) for axis, listed in entry["matrix"].items()}
        for cell in itertools.product(*axes.values()):
            item = dict(zip(axes, cell, strict=True))
            yield f"{name}@{'-'.join(map(str, cell))}", {**values, "item": item}, entry
    else:
        yield name, dict(values), entry


def _value(text: object, values: Mapping[str, Any]) -> Any:  # noqa: ANN401  (any type)
    match = FILLED.fullmatch(str(text)) if isinstance(text, str) else None
    if not match:
        return text
    value: Any = values
    for part in match[1].split("."):
        value = value[part]
    return value


def _filled(text: str, values: Mapping[str, Any]) -> str:
    return FILLED.sub(lambda match: str(_value(match[0], values)), text)


def _path(entry: object) -> str:
    """The path of a dep or an out, which may have options."""
    return next(iter(entry)) if isinstance(entry, dict) else str(entry)


def _above(path: str) -> list[str]:
    """The folders that a path is in."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]
