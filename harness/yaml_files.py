"""Reading YAML as DVC does, and telling in one line what is wrong with a file of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import InputError, one_line, shown

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node

DEEP = "nested too deeply; write it flatter"


def read_yaml(path: Path) -> Any:  # noqa: ANN401  (YAML is any of its types)
    """Read YAML as DVC does (YAML 1.2); InputError where it is absent or broken."""
    from ruamel.yaml import YAML, YAMLError

    if not path.is_file():
        raise InputError(f"{path}: no such file; make preset PRESET=lab writes one")
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"byte 0x{error.object[error.start]:02x} at position {error.start + 1}"
        raise InputError(f"{path}: not UTF-8 ({found}); save the file as UTF-8") from None
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark is not None else str(path)
        reason = one_line(getattr(error, "problem", None) or error)
        raise InputError(f"{where}: not YAML: {reason}") from None
    except RecursionError:
        raise InputError(f"{path}: {DEEP}") from None
    except ValueError:  # what looks like a date or a number and is none
        raise InputError(_no_value(path, text)) from None


def _no_value(path: Path, text: str) -> str:
    from ruamel.yaml import YAML

    reader = YAML(typ="safe", pure=True)
    for scalar in _scalars(reader.compose(text)):
        try:
            reader.constructor.construct_object(scalar)
        except ValueError as error:
            reason = one_line(str(error).partition(";")[0], 120)
            told = f"{shown(repr(scalar.value), 40)} is no value ({reason})"
            return f"{path}, line {scalar.start_mark.line + 1}: {told}; mend it, or quote a text"
    return f"{path}: not YAML; mend it"


def _scalars(node: "Node") -> Iterator[Any]:
    if isinstance(node.value, str):
        yield node
        return
    for child in node.value:
        for part in child if isinstance(child, tuple) else (child,):
            yield from _scalars(part)
