"""The params that a run was made with, as recorded by DVC."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.params.params import MAIN, Cell, Params


def params_when_made(
    params: Params, recorded: Mapping[str, dict[str, Any]], outputs: list[Path]
) -> Params:
    """The params that the outputs were made with: as recorded, else as they are now.

    Edits made since must not appear as the params of the run.
    """
    values = params.model_dump(mode="json")
    for output in outputs:
        for dotted, value in recorded.get(output.as_posix(), {}).items():
            *above, last = dotted.split(".")
            place = values
            for part in above:
                place = place.setdefault(part, {})
            place[last] = value
    try:
        return Params.model_validate(values)
    except ValidationError:
        return params  # recorded by a version with other keys


def flat(value: object, name: str = "") -> dict[str, str]:
    """Flatten nested dicts to dotted names and text values."""
    if not isinstance(value, dict):
        return {name: str(value)}
    flattened: dict[str, str] = {}
    for key, inner in value.items():
        flattened |= flat(inner, f"{name}.{key}" if name else str(key))
    return flattened


def logged_params(params: Params, cell: Cell) -> dict[str, str]:
    """The params of a cell's runs for MLflow: one flat dict of text."""
    item = params.chosen_by(cell.of)
    base = params.base_model if cell.base == MAIN else params.base_models[cell.base]
    selection = item.model_dump(mode="json", exclude_none=True, exclude={"more_groups"})
    sections = {
        "selection": {**selection, "budget": item.budget or params.defaults.budget},
        "train": params.train.model_dump(mode="json"),
        "evaluate": params.evaluate.model_dump(mode="json"),
        "base_model": base.model_dump(mode="json"),
        "prepare": params.prepare.model_dump(mode="json"),
        "cluster": {"seed": params.cluster.seed},
        "template": params.template,
        "study": cell.study,
        "name": cell.name,
        "of": cell.of,
    }
    part = {"rows": cell.rows, "rounds": cell.rounds}
    sections |= {name: value for name, value in part.items() if value is not None}
    if params.preset == "lab":
        sections["lab"] = params.lab.model_dump(mode="json")
    return flat(sections)
