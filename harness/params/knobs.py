"""Entries of the tables of samplers, systems in rounds and scorers, and checks of their knobs.

A knob is a keyword-only argument of the entry's function.
"""

import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, get_args

from harness.common.errors import InputError, nearest

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Entry(Generic[T]):
    """A function of a table and its properties; calling it calls the function.

    `test_needs.py` checks that each is complete and true; ``--list`` and the tables of the docs are
    made from them.
    """

    function: Callable[..., T]  # its docstring's first line says what it does
    needs: frozenset[str] = frozenset()  # what it reads, in the words of its table
    source: str  # where it is published, or whose baseline it is
    chance: bool = False  # whether the generator changes what it returns
    cost: str  # of running it; n is the pool's size, b the budget
    # By need, a knob and its value with which that need is not read.
    spared: Mapping[str, tuple[str, object]] = field(default_factory=dict)

    def __call__(self, *args: Any, **knobs: Any) -> T:  # noqa: ANN401  (as the function has them)
        """Call the function."""
        return self.function(*args, **knobs)

    @property
    def __wrapped__(self) -> Callable[..., T]:
        """The function, for `inspect.signature`."""
        return self.function

    def needs_with(self, given: Mapping[str, object]) -> frozenset[str]:
        """What it reads with these values of its knobs."""
        spared = {n for n, (knob, value) in self.spared.items() if given.get(knob) == value}
        return self.needs - spared

    @property
    def summary(self) -> str:
        """The first line of the function's docstring, without its full stop."""
        line = (inspect.getdoc(self.function) or "").partition("\n")[0]
        # The shape of what it returns is for callers.
        return line.partition(": (n,)")[0].rstrip(".")


def find_entry(table: Mapping[str, T], name: str, where: str, kind: str) -> T:
    """The entry of that name; InputError, prefixed with ``where``, where there is none."""
    if name not in table:
        raise InputError(f"{where}: no {kind} is called {name!r}{nearest(name, table)}")
    return table[name]


def knobs_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The keyword-only arguments of a sampler or scorer by name."""
    arguments = inspect.signature(function).parameters.values()
    return {a.name: a for a in arguments if a.kind is a.KEYWORD_ONLY}


def knob_text(knob: inspect.Parameter) -> str:
    """A knob and its default for the help: `threshold=0.9`, `start=mean|random (mean)`."""
    if knob.default is knob.empty:
        return f"{knob.name} (needed)"
    if knob.default is None:
        return knob.name
    default = knob.default if isinstance(knob.default, str) else json.dumps(knob.default)
    choices = [value for value in get_args(knob.annotation) if isinstance(value, str)]
    return f"{knob.name}={'|'.join(choices)} ({default})" if choices else f"{knob.name}={default}"


def all_knobs(function: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The value of each knob, given or by default."""
    return {name: given.get(name, knob.default) for name, knob in knobs_of(function).items()}


def knob_problems(
    where: str,
    name: str,
    function: Callable[..., Any],
    given: Mapping[str, Any],
    fields: Iterable[str] = (),
    remedy: str = "add this key",
) -> Iterator[str]:
    """A line for each unknown knob, each value of the wrong type, each missing knob.

    Args:
        where: put before a knob's name.
        name: what the function is called.
        function: a sampler or scorer.
        given: values by knob.
        fields: other keys that are valid there, and may have been meant.
        remedy: how a missing knob is given; ``{key}`` is its name.
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
    """A value converted to the knob's type (2 to 2.0), and what is wrong with it, or None."""
    from pydantic import TypeAdapter, ValidationError

    adapter: TypeAdapter[Any] = TypeAdapter(knob.annotation)
    try:
        return adapter.validate_python(value, strict=True), None
    except ValidationError as error:
        rule = error.errors()[0]["msg"]
        return value, rule[0].lower() + rule[1:]
