"""Reads YAML as DVC does; what is wrong with a file is reported in one line."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from harness.common.errors import InputError, one_line, shown

DEEP = "nested too deeply; write it flatter"
DEEPEST = 400  # lists and mappings open at once
MOST_BYTES = 1_000_000  # of a file written by hand; reading that many takes seconds
MOST_ALIASED = 100_000  # values that aliases stand for: nine lines can stand for a billion


def read_yaml(path: Path) -> Any:  # noqa: ANN401  (YAML is any of its types)
    """Read YAML as DVC does (YAML 1.2); InputError where it is missing, broken or too large."""
    return parse_yaml(yaml_text(path), path)


def parse_yaml(text: str, path: Path) -> Any:  # noqa: ANN401
    """`read_yaml` for a text that is, or will be, in ``path``."""
    from ruamel.yaml import YAML

    reader = YAML(typ="safe", pure=True)
    with _reporting(path, text):
        node = reader.compose(text)
        check_aliases(node, path)
        return None if node is None else reader.constructor.construct_document(node)


def check_yaml(path: Path) -> None:
    """The checks of `read_yaml` for a file that another reader then reads: tags may be unknown."""
    from ruamel.yaml import YAML

    text = yaml_text(path)
    with _reporting(path, text):
        check_aliases(YAML(typ="safe", pure=True).compose(text), path)


def check_aliases(node: Any, path: Path) -> None:  # noqa: ANN401  (ruamel's node, or PyYAML's)
    """InputError where aliases (*) of a composed file stand for too many values, or themselves."""
    sizes: dict[int, int | None] = {}  # by node; None while it is counted

    def size(node: Any) -> int:  # noqa: ANN401
        if id(node) in sizes:
            known = sizes[id(node)]
            if known is None:
                raise InputError(f"{path}: an anchor (&) contains itself (*); write its values out")
            return known
        sizes[id(node)] = None
        sizes[id(node)] = total = 1 + sum(map(size, _children(node)))
        return total

    if node is not None and size(node) - len(sizes) > MOST_ALIASED:
        rule = f"its aliases (*) stand for over {MOST_ALIASED:,} values"
        raise InputError(f"{path}: {rule}; write the values out")


def yaml_text(path: Path) -> str:
    """The text of a file; InputError where it is missing, too large, not UTF-8 or too deep.

    Without a mark of byte order, its lines ended by a line feed.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; make preset PRESET=lab writes one")
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path}: over {MOST_BYTES:,} bytes; keep data in files of their own")
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        detail = f"byte 0x{error.object[error.start]:02x} at position {error.start + 1}"
        raise InputError(f"{path}: not UTF-8 ({detail}); save the file as UTF-8") from None
    # The reader slows down with depth, and takes seconds to give up.
    if any(depth > DEEPEST for depth in _depths(text)):
        raise InputError(f"{path}: {DEEP}")
    return text


def _depths(text: str) -> Iterator[int]:
    """How many lists and mappings are open, event by event, up to the first syntax error."""
    import yaml

    with suppress(yaml.YAMLError):  # the reader says what is wrong
        depth = 0
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            yield depth


@contextmanager
def _reporting(path: Path, text: str) -> Iterator[None]:
    """Report in one line what is wrong with a file."""
    from ruamel.yaml import YAMLError

    try:
        yield
    except InputError:
        raise
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark is not None else str(path)
        reason = one_line(getattr(error, "problem", None) or error)
        raise InputError(f"{where}: not YAML: {reason}") from None
    except RecursionError:
        raise InputError(f"{path}: {DEEP}") from None
    except ValueError:  # it looks like a date or a number, but is not one
        raise InputError(_invalid_value(path, text)) from None


def _invalid_value(path: Path, text: str) -> str:
    from ruamel.yaml import YAML

    reader = YAML(typ="safe", pure=True)
    for scalar in _scalars(reader.compose(text)):
        if scalar.tag == "tag:yaml.org,2002:merge":  # a key `<<`
            continue
        try:
            reader.constructor.construct_object(scalar)
        except ValueError as error:
            reason = one_line(str(error).partition(";")[0], 120)
            rule = f"{shown(repr(scalar.value), 40)} is not a valid value ({reason})"
            return f"{path}, line {scalar.start_mark.line + 1}: {rule}; fix it, or quote it as text"
    return f"{path}: not YAML; fix it"


def _scalars(node: Any) -> Iterator[Any]:  # noqa: ANN401
    if isinstance(node.value, str):
        yield node
    for child in _children(node):
        yield from _scalars(child)


def _children(node: Any) -> Iterator[Any]:  # noqa: ANN401
    """The nodes directly within one, keys included."""
    if not isinstance(node.value, str):
        for child in node.value:
            yield from child if isinstance(child, tuple) else (child,)
