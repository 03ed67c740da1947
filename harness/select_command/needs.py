"""What a sampler or scorer takes, told by its own code: a new one has no second table to fill."""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any, get_args

from harness.errors import InputError, nearest
from harness.samplers import Sampler

READ = ("embeddings", "clusters", "quality")  # attributes of a Pool, as they are asked for
UNIT = "check_unit"  # the check that stops a sampler at rows not of unit length


def needs_of(sampler: Sampler) -> list[str]:
    """What the sampler reads of its pool, in the order of READ."""
    names = _names_used(sampler)
    return [name for name in READ if name in names]


def wants_unit_rows(sampler: Sampler) -> bool:
    """Whether the sampler refuses embeddings whose rows are not of unit length."""
    return UNIT in _names_used(sampler)


def _names_used(sampler: Sampler) -> set[str]:
    """The attributes and globals named in a sampler and in what it calls of harness.samplers.

    `check_pool`, which every sampler calls, is left out: it reads the embeddings of those too that
    look at no vector.
    """
    seen: set[Any] = set()
    names: set[str] = set()
    to_see: list[Any] = [sampler]
    while to_see:
        function = to_see.pop()
        seen.add(function)
        for code in _codes(function.__code__):
            names |= set(code.co_names)
            called = [function.__globals__.get(name) for name in code.co_names]
            to_see += [f for f in called if _is_ours(f) and f not in seen]
    return names


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A function's code and that of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _is_ours(value: object) -> bool:
    return (
        isinstance(value, FunctionType)
        and value.__module__.startswith("harness.samplers.")
        and value.__name__ != "check_pool"
    )


def first_sentence(function: Callable[..., Any]) -> str:
    """The first line of a docstring, without its full stop."""
    line = (inspect.getdoc(function) or "").partition("\n")[0]
    return line.partition(": (n,)")[0].rstrip(".")  # the shape of what it returns is for callers


def knobs_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The keyword-only arguments of a sampler or scorer by name."""
    arguments = inspect.signature(function).parameters.values()
    return {a.name: a for a in arguments if a.kind is a.KEYWORD_ONLY}


def knob_text(knob: inspect.Parameter) -> str:
    """A knob and its default as help shows it: `threshold=0.9`, `start=mean|random (mean)`."""
    if knob.default is knob.empty:
        return f"{knob.name} (needed)"
    if knob.default is None:
        return knob.name
    default = knob.default if isinstance(knob.default, str) else json.dumps(knob.default)
    choices = [value for value in get_args(knob.annotation) if isinstance(value, str)]
    return f"{knob.name}={'|'.join(choices)} ({default})" if choices else f"{knob.name}={default}"


def read_knobs(
    where: str, name: str, function: Callable[..., Any], given: Mapping[str, str]
) -> dict[str, Any]:
    """Texts of a command line as values of the function's knobs.

    Raises InputError, with ``where`` before it, for a knob that the function has not, a value that
    is not of the knob's type, and a needed knob that is not given.
    """
    knobs = knobs_of(function)
    found: dict[str, Any] = {}
    for key, text in given.items():
        if key not in knobs:
            raise InputError(f"{where}{key}: {name} takes no such param{nearest(key, knobs)}")
        found[key] = _value(f"{where}{key}", knobs[key].annotation, text)
    for key, knob in knobs.items():
        if knob.default is knob.empty and key not in given:
            raise InputError(f"{where}{key}: {name} needs it; give {key}=...")
    return found


def _value(where: str, annotation: Any, text: str) -> Any:  # noqa: ANN401  (as the knob says)
    from pydantic import TypeAdapter, ValidationError

    try:
        read = json.loads(text.lower() if text in ("True", "False") else text)
    except ValueError:
        read = text
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)
    try:
        return adapter.validate_python(read, strict=True)
    except ValidationError as error:
        try:
            return adapter.validate_python(text, strict=True)  # a text that looks like a number
        except ValidationError:
            rule = error.errors()[0]["msg"]
            raise InputError(f"{where}: {rule[0].lower()}{rule[1:]}, not {text!r}") from None
