"""A small YAML file that expands to more than fits in memory is refused at once in one line."""

import time
from pathlib import Path

import pytest

from harness.check.check import check_params
from harness.common.errors import InputError
from harness.common.yaml_files import check_yaml, read_yaml
from harness.suites import read_suite
from pipeline.make.dvc_lock import read_stages
from pipeline.make.preset import switch_preset
from tests.helpers.yaml_bombs import LAUGHS, MERGES

ROOT = Path(__file__).resolve().parents[2]
LONG = "aliases (*) stand for over 100,000 values; write the values out"
SELF = "an anchor (&) contains itself (*); write its values out"
DEEP = "nested too deeply; write it flatter"
BOMBS = {
    "laughs": (LAUGHS, f"its {LONG}"),
    "merges": (MERGES, f"its {LONG}"),
    "itself": ("a: &a [*a]", SELF),
    "itself within": ("a: &a {b: [{c: *a}]}", SELF),
    "deep": (f"a: {'[' * 5000}{']' * 5000}", DEEP),
    "deep and open": ("a: " + "{b: " * 5000, DEEP),
    "large": (
        "a: 1\n" + "# " + "x" * 10**6,
        "over 1,000,000 bytes; keep data in files of their own",
    ),
}


@pytest.mark.parametrize("case", BOMBS.values(), ids=BOMBS.keys())
def test_every_reader_refuses_a_bomb(tmp_path: Path, case: tuple[str, str]) -> None:
    text, message = case
    (tmp_path / "conf").mkdir()
    for name in ("params.yaml", "suite.yaml", "conf/bomb.yaml"):
        (tmp_path / name).write_text(text)
    path = tmp_path / "params.yaml"
    begin = time.monotonic()
    assert check_params(path) == [f"{path}: {message}"]
    for read in (
        lambda: check_yaml(path),
        lambda: read_suite(tmp_path),
        lambda: switch_preset(tmp_path, "bomb"),
    ):
        with pytest.raises(InputError) as caught:
            read()
        assert str(caught.value).endswith(f": {message}")
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize("text", [LAUGHS, MERGES], ids=["laughs", "merges"])
def test_a_lock_that_is_a_bomb_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "dvc.lock"
    path.write_text(f"stages:\n  x: 1\n{text}")
    with pytest.raises(InputError, match="its aliases"):
        read_stages(path)
    path.write_text("stages: {x: {cmd: a}}")
    assert read_stages(path) == {"x": {"cmd": "a"}}
    path.write_text("")
    assert read_stages(path) == {}


def test_aliases_that_people_write_are_read(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("base: &base {k: 1, l: [1, 2]}\none: *base\ntwo: {<<: *base, k: 2}\n")
    base = {"k": 1, "l": [1, 2]}
    assert read_yaml(path) == {"base": base, "one": base, "two": {"k": 2, "l": [1, 2]}}


def test_brackets_in_texts_and_comments_are_not_nested(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    text = "[" * 500
    path.write_text(f"a: '{text}'  # {text}\nb: [1]\n")
    assert read_yaml(path) == {"a": text, "b": [1]}
    path.write_text(f'a: "{"]" * 6000}"\nb: {"[" * 5000}')
    begin = time.monotonic()
    with pytest.raises(InputError, match=DEEP):
        read_yaml(path)
    assert time.monotonic() - begin < 2
