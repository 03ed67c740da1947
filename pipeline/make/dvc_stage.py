"""`dvc repro --single-item` with dvc.lock parsed by libyaml, and only what changes written anew.

DVC parses the lock twice and writes it once for each stage, in Python: of 15,000 lines that takes
5 s of CPU, and half a second so. The bytes are the same.
"""

import pickle
import sys
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO

import dvc.utils.strictyaml
import yaml
from dvc.utils.serialize import _yaml
from ruamel.yaml.resolver import implicit_resolvers

from pipeline.make.dvc_lock import LOCK, stage_texts

HEAD = "stages:\n"
OF_DVC = SimpleNamespace(
    parse=_yaml.parse_yaml, parse_for_update=_yaml.parse_yaml_for_update, dump=_yaml._dump
)


class _Loader(yaml.CSafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  (PyYAML's name and form)


for _versions, _tag, _pattern, _first in implicit_resolvers:
    if (1, 2) in _versions:  # PyYAML's own are those of YAML 1.1, in which `on` is true
        _Loader.add_implicit_resolver(_tag, _pattern, _first)


class _Read:
    """The lock as it was read last: it is parsed once, and a stage that did not change kept."""

    text: str | None = None
    content = b""  # pickled
    stages: dict[str, tuple[Any, str]] = {}  # noqa: RUF012  (what was given, and its text)


def parse(text: str, path: str, typ: str = "safe") -> Any:  # noqa: ANN401
    """What DVC's `parse_yaml` gives."""
    if Path(path).name != LOCK.name:
        return OF_DVC.parse(text, path, typ)
    if text != _Read.text:
        try:
            content = yaml.load(text, _Loader) or {}
        except yaml.YAMLError as error:
            raise _yaml.YAMLFileCorruptedError(path) from error
        _Read.text, _Read.content = text, pickle.dumps(content)
    content = pickle.loads(_Read.content)
    stages = (isinstance(content, dict) and content.get("stages")) or {}
    texts = stage_texts(text)[1:] if text.endswith("\n") else []
    known = zip(stages.items(), texts, strict=True) if len(stages) == len(texts) else ()
    _Read.stages = {name: (stage, own) for (name, stage), own in known}
    return content


def parse_for_update(text: str, path: str) -> Any:  # noqa: ANN401
    """The same for a file that is then written: the lock has no comments to keep."""
    return (parse if Path(path).name == LOCK.name else OF_DVC.parse_for_update)(text, path)


def dump(data: Any, stream: TextIO) -> None:  # noqa: ANN401
    """What DVC's `_dump` writes; a lock's stages that are as they were read keep their text."""
    if type(data) is not dict or not data.get("stages") or list(data)[-1] != "stages":
        OF_DVC.dump(data, stream)
        return
    if head := {key: value for key, value in data.items() if key != "stages"}:
        OF_DVC.dump(head, stream)
    stream.write(HEAD)
    for name, stage in data["stages"].items():
        given, text = _Read.stages.get(name, (None, ""))
        if given is not stage:
            part = StringIO()
            OF_DVC.dump({"stages": {name: stage}}, part)
            text = part.getvalue().removeprefix(HEAD)
        stream.write(text)


def main() -> None:
    """Run the stage named on the command line."""
    from dvc.cli import main as dvc_main

    dvc.utils.strictyaml.parse_yaml = _yaml.parse_yaml = parse
    _yaml.parse_yaml_for_update, _yaml._dump = parse_for_update, dump
    sys.exit(dvc_main(["repro", "--single-item", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
