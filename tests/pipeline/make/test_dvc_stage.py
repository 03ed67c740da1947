"""dvc.lock read and written fast: the same values and bytes as by DVC."""

import io
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.serialize import _yaml

from pipeline.make import dvc_stage

ROOT = Path(__file__).resolve().parents[3]
# Those that YAML 1.1 and 1.2, or the two writers, might take for something else.
VALUES = [
    *("on", "yes", "y", "No", "0123", "0x1f", "1e5", "1_000", "12:30", "2026-11-28", "~", "null"),
    *("", " lead", "a: b", "a #b", "- a", "#c", "@x", "%x", "<<", "=", ".5", "1.", "true", "a\tb"),
    *(
        "it's",
        '"q"',
        "ü ö → 字",
        "two\nlines",
        "x " * 60,
        "k" * 200,
        "1234567890e12",
        *("p" * n for n in (50, 58, 62, 66, 70)),
    ),
    *(None, True, 3, -2, 0.1, 5.0, 1e-05, 1e20, float("inf"), [], {}, [1, [2, None]], {"on": 1}),
]


def text(dump: Any, value: Any) -> str:  # noqa: ANN401
    stream = io.StringIO()
    dump(value, stream)
    return stream.getvalue()


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_any_value_is_written_and_read_as_by_dvc(value: object) -> None:
    stage = {"cmd": "c", "deps": [OrderedDict(path=value, size=1)], "params": {"p": {"v": value}}}
    lock = {"schema": "2.0", "stages": {"s": stage}}
    written = text(dvc_stage.OF_DVC.dump, lock)
    assert text(dvc_stage.dump, lock) == written
    assert dvc_stage.parse(written, "dvc.lock") == _yaml.parse_yaml(written, "dvc.lock")


def test_locks_are_written_as_by_dvc() -> None:
    stages = {name: {"cmd": "c", "outs": [{"path": name}]} for name in ("short", "p" * 90, "last")}
    for lock in ({"schema": "2.0", "stages": stages}, {"stages": stages}, {"stages": {}}, {}):
        assert text(dvc_stage.dump, lock) == text(dvc_stage.OF_DVC.dump, lock)


def test_the_lock_of_this_repository() -> None:
    lock = (ROOT / "dvc.lock").read_text(encoding="utf-8")
    read = dvc_stage.parse_for_update(lock, "dvc.lock")
    assert read == _yaml.parse_yaml(lock, "dvc.lock")
    assert text(dvc_stage.dump, read) == lock


def test_a_lock_is_parsed_once_and_only_what_changes_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lock = (ROOT / "dvc.lock").read_text(encoding="utf-8")
    first = dvc_stage.parse(lock, "dvc.lock")
    monkeypatch.setattr(dvc_stage.yaml, "load", None)
    read = dvc_stage.parse_for_update(lock, "dvc.lock")
    assert read == first
    first["stages"].clear()  # `read` is another copy
    name = list(read["stages"])[7]
    read["stages"] |= {name: {**read["stages"][name], "cmd": "true"}, "new": {"cmd": "new"}}
    expected, of_dvc = text(dvc_stage.OF_DVC.dump, read), dvc_stage.OF_DVC.dump
    written: list[str] = []

    def dump(data: dict[str, Any], stream: io.StringIO) -> None:
        written.extend(data.get("stages", {}))
        of_dvc(data, stream)

    monkeypatch.setattr(dvc_stage.OF_DVC, "dump", dump)
    assert text(dvc_stage.dump, read) == expected
    assert written == [name, "new"]


@pytest.mark.parametrize(
    "lock",
    [
        *("", "[1]", "schema: '2.0'\n", "stages:\n", "stages: {}\n"),
        *(
            "stages:\n  a:\n    cmd: c",
            "stages:\n    a:\n        cmd: c\n",
            "stages:\n  a: {cmd: c}\n",
        ),
        "stages:\n  a:\n    cmd: |\n      c\n\n      d\nschema: '2.0'\n",
    ],
)
def test_locks_of_any_form_are_read_and_written(lock: str) -> None:
    read = dvc_stage.parse_for_update(lock, "dvc.lock")
    assert read == (_yaml.parse_yaml(lock, "dvc.lock") or {})
    if isinstance(read, dict):
        added = {**read, "stages": {**(read.get("stages") or {}), "new": {"cmd": "e"}}}
        assert _yaml.parse_yaml(text(dvc_stage.dump, added), "dvc.lock") == added


def test_other_files_keep_their_comments() -> None:
    source = "# why\na: 1  # what\n"
    assert text(dvc_stage.dump, dvc_stage.parse_for_update(source, "dvc.yaml")) == source


def test_a_broken_lock_is_dvcs_error() -> None:
    with pytest.raises(_yaml.YAMLFileCorruptedError):
        dvc_stage.parse("stages: [", "dvc.lock")
