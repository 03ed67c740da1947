"""What a sampler or scorer takes, as the command line shows it and reads it."""

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any, get_args

from harness.errors import InputError
from harness.knobs import knob_problems, knobs_of, read_value
from harness.samplers import NEEDS

SHOWN = ("embeddings", "clusters", "quality")  # in this order


def needs_text(sampler: str) -> str:
    """What a sampler reads of its pool, in words."""
    return ", ".join(name for name in SHOWN if name in NEEDS[sampler]) or "nothing"


def first_sentence(function: Callable[..., Any]) -> str:
    """The first line of a docstring, without its full stop."""
    line = (inspect.getdoc(function) or "").partition("\n")[0]
    return line.partition(": (n,)")[0].rstrip(".")  # the shape of what it returns is for callers


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
    found = {k: _value(knobs[k], text) if k in knobs else text for k, text in given.items()}
    for problem in knob_problems(where, name, function, found, remedy="give {key}=..."):
        raise InputError(problem)
    return found


def _value(knob: inspect.Parameter, text: str) -> Any:  # noqa: ANN401  (as the knob says)
    """What a text stands for: itself where the knob takes a text that looks like a number."""
    try:
        read = json.loads(text.lower() if text in ("True", "False") else text)
    except ValueError:
        return text
    value, rule = read_value(knob, read)
    return text if rule and not read_value(knob, text)[1] else value
