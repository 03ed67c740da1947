"""`dvc repro --single-item` with dvc.lock read and written by libyaml.

DVC parses the lock twice and writes it once for each stage, in Python: of 15,000 lines that takes
5 s, and 1 s so. The bytes are the same.
"""

import sys
from collections import OrderedDict
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO

import dvc.utils.strictyaml
import yaml
from dvc.utils.serialize import _yaml
from ruamel.yaml.resolver import implicit_resolvers

LOCK = "dvc.lock"
HEAD = "stages:\n"
WIDTH = 80  # near which the two break lines in different ways
OF_DVC = SimpleNamespace(
    parse=_yaml.parse_yaml, parse_for_update=_yaml.parse_yaml_for_update, dump=_yaml._dump
)


class _Loader(yaml.CSafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  (PyYAML's name and form)


class _Dumper(yaml.CSafeDumper):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012


for _versions, _tag, _pattern, _first in implicit_resolvers:
    if (1, 2) in _versions:  # PyYAML's own are those of YAML 1.1, in which `on` is true
        _Loader.add_implicit_resolver(_tag, _pattern, _first)
        _Dumper.add_implicit_resolver(_tag, _pattern, _first)
_YAML = "tag:yaml.org,2002:"
_Dumper.add_representer(type(None), lambda to, _: to.represent_scalar(f"{_YAML}null", ""))
_Dumper.add_representer(OrderedDict, lambda to, value: to.represent_dict(value.items()))


def parse(text: str, path: str, typ: str = "safe") -> Any:  # noqa: ANN401
    """What DVC's `parse_yaml` gives."""
    if Path(path).name != LOCK:
        return OF_DVC.parse(text, path, typ)
    try:
        return yaml.load(text, _Loader) or {}
    except yaml.YAMLError as error:
        raise _yaml.YAMLFileCorruptedError(path) from error


def parse_for_update(text: str, path: str) -> Any:  # noqa: ANN401
    """The same for a file that is then written: the lock has no comments to keep."""
    return (parse if Path(path).name == LOCK else OF_DVC.parse_for_update)(text, path)


def dump(data: Any, stream: TextIO) -> None:  # noqa: ANN401
    """What DVC's `_dump` writes; of a lock, DVC's writer gets only the stages that it must."""
    if type(data) is not dict or not data.get("stages") or list(data)[-1] != "stages":
        OF_DVC.dump(data, stream)
        return
    if head := {key: value for key, value in data.items() if key != "stages"}:
        OF_DVC.dump(head, stream)
    stream.write(HEAD)
    how: dict[str, Any] = {"sort_keys": False, "default_flow_style": False, "width": WIDTH}
    for name, stage in data["stages"].items():
        one, text = {"stages": {name: stage}}, StringIO()
        if _is_plain(one):
            yaml.dump(one, text, _Dumper, allow_unicode=True, **how)
        else:
            OF_DVC.dump(one, text)
        stream.write(text.getvalue().removeprefix(HEAD))


def _is_plain(value: object, column: int = 0) -> bool:
    """Whether a value has no text or number that the two write in different ways."""
    if isinstance(value, dict):
        # A nested value begins below its key, any other after it.
        after = ((k, v, 0 if isinstance(v, dict | list) else len(str(k))) for k, v in value.items())
        return all(_is_plain(k, column) and _is_plain(v, column + n + 2) for k, v, n in after)
    if isinstance(value, list):
        return all(one is not None and _is_plain(one, column + 2) for one in value)
    if isinstance(value, float):
        return "e" not in repr(value)
    return not isinstance(value, str) or (column + len(value) < WIDTH - 5 and value.isprintable())


def main() -> None:
    """Run the stage named on the command line."""
    from dvc.cli import main as dvc_main

    dvc.utils.strictyaml.parse_yaml = _yaml.parse_yaml = parse
    _yaml.parse_yaml_for_update, _yaml._dump = parse_for_update, dump
    sys.exit(dvc_main(["repro", "--single-item", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
