"""Every number of params.yaml has an upper bound, and one beyond it is refused in one line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from harness.check.check import check_params
from harness.params.params import Params

ROOT = Path(__file__).resolve().parents[2]
# A larger value of these asks for more than there is: the stage that reads the pool says so.
OF_THE_POOL = {"k", "budget"}


def parts_of(annotation: Any) -> Iterator[Any]:  # noqa: ANN401  (a type of any form)
    """A type and all that it is made of: `list[int]` and `int`."""
    yield annotation
    for part in get_args(annotation):
        yield from parts_of(part)


def sections(section: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A section of the params and those inside it."""
    yield section
    for field in section.model_fields.values():
        for part in parts_of(field.annotation):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from sections(part)


NUMBERS: list[tuple[type[BaseModel], str, FieldInfo]] = [
    (section, name, field)
    for section in sorted(set(sections(Params)), key=lambda one: one.__name__)
    for name, field in section.model_fields.items()
    # Beside strings they are values to compare with a row's, whatever they are.
    if {int, float} & (parts := set(parts_of(field.annotation))) and str not in parts
    if name not in OF_THE_POOL
]


@pytest.mark.parametrize(("section", "name", "field"), NUMBERS)
def test_a_number_has_an_upper_bound(section: type[BaseModel], name: str, field: FieldInfo) -> None:
    text = repr(field)
    assert "Le(le=" in text or "Lt(lt=" in text, f"{section.__name__}.{name}"


@pytest.mark.parametrize("value", ["3", True, "true"])
@pytest.mark.parametrize(("section", "name", "field"), NUMBERS)
def test_a_number_is_neither_text_nor_a_truth_value(
    section: type[BaseModel], name: str, field: FieldInfo, value: object
) -> None:
    with pytest.raises(ValidationError) as caught:
        section.model_validate({name: value})
    assert name in {error["loc"][0] for error in caught.value.errors()}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("instances: 6000", f"instances: {10**30}", "lab.instances: input should be less than or"),
        (
            "vocab_size: 1024",
            f"vocab_size: {10**30}",
            "base_model.vocab_size: input should be",
        ),
        ("layers: 4", f"layers: {10**30}", "base_model.layers: input should be less than or equal"),
        ("learning_rate: 3.0e-3", "learning_rate: 1.0e+308", "base_model.learning_rate: input"),
        ("batch_size: 16", f"batch_size: {10**30}", "reward_model.batch_size: input should be le"),
    ],
)
def test_a_number_beyond_its_bound_is_one_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "params.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    (line,) = [line for line in check_params(path) if message in line]
    assert "\n" not in line
    assert len(line) < 200
