"""The knobs of a sampler or scorer: its keyword-only arguments, and what is wrong with values."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from harness.errors import nearest


def knobs_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The keyword-only arguments of a sampler or scorer by name."""
    arguments = inspect.signature(function).parameters.values()
    return {a.name: a for a in arguments if a.kind is a.KEYWORD_ONLY}


def all_knobs(function: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The value of each knob, those not given by their defaults."""
    return {name: given.get(name, knob.default) for name, knob in knobs_of(function).items()}


def knob_problems(
    where: str,
    name: str,
    function: Callable[..., Any],
    given: Mapping[str, Any],
    fields: Iterable[str] = (),
    remedy: str = "add this key",
) -> Iterator[str]:
    """A line for each knob that the function has not, each value not of its type, each lacking.

    Args:
        where: what stands before a knob's name.
        name: what the function is called.
        function: a sampler or scorer.
        given: values by knob.
        fields: other words that may stand there, and may have been meant.
        remedy: how a lacking knob is given; ``{key}`` is its name.
    """
    knobs = knobs_of(function)
    for key, value in given.items():
        if key not in knobs:
            yield f"{where}{key}: {name} takes no such param{nearest(key, [*fields, *knobs])}"
        elif rule := read_value(knobs[key], value)[1]:
            yield f"{where}{key}: {rule}, not {value!r}"
    for key, knob in knobs.items():
        if knob.default is knob.empty and key not in given:
            yield f"{where}{key}: {name} needs it; {remedy.format(key=key)}"


def read_value(knob: inspect.Parameter, value: object) -> tuple[Any, str | None]:
    """A value as the knob's type has it (2 as 2.0), and what is wrong with it: None for nothing."""
    from pydantic import TypeAdapter, ValidationError

    adapter: TypeAdapter[Any] = TypeAdapter(knob.annotation)
    try:
        return adapter.validate_python(value, strict=True), None
    except ValidationError as error:
        rule = error.errors()[0]["msg"]
        return value, rule[0].lower() + rule[1:]
