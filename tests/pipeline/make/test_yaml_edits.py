"""Merging changes into YAML as text: the values as merged mappings, the comments as written."""

from textwrap import dedent

import pytest
from ruamel.yaml import YAML
from yaml import MarkedYAMLError

from pipeline.make.yaml_edits import merged

TEXT = """\
# of a
a: 1          # one

# of b
b: &b
  c: [1, 2]   # a list
  d: {e: 1, f: 2}

t: {}         # none yet

u:
  - 1
  - 2
s: &s 1
l: &l
  - 1
w: *b
# of v
v: {<<: *b, d: 3}
"""
B = TEXT[TEXT.index("b: &b") : TEXT.index("\nt: {}")]
CASES = {
    "a value, its comment's column kept": ("a: 1000", "a: 1          # one", "a: 1000       # one"),
    "a long value": (
        "a: a value of many letters",
        "a: 1          # one",
        "a: a value of many letters # one",
    ),
    "a value with a comment of its own": ("a: 2  # two", "a: 1          # one", "a: 2  # two"),
    "a comment above": ("# mine\na: 2", "# of a\na: 1          # one", "# mine\na: 2"),
    "within a mapping": ("b: {c: [3]}", "[1, 2]   #", "[3]      #"),
    "within a flow mapping": ("b:\n  d: {f: 3}", "f: 2", "f: 3"),
    "a new key of a mapping": ("b:\n  g: 1  # new", "f: 2}\n", "f: 2}\n  g: 1  # new\n"),
    "a new key, of a flow mapping": ("b: {g: 1}", "f: 2}\n", "f: 2}\n  g: 1\n"),
    "a new key after the one before it": (
        "b: {c: [1, 2], g: 1, h: 2}",
        "# a list\n",
        "# a list\n  g: 1\n  h: 2\n",
    ),
    "a new key of a flow mapping": ("b: {d: {g: 3}}", "f: 2}", "f: 2, g: 3}"),
    "an empty mapping filled": (
        "t:   # some\n  # of x\n  x: {<<: *b}\n",
        "t: {}         # none yet",
        "t:   # some\n  # of x\n  x: {<<: *b}",
    ),
    "a mapping emptied": ("b: {d: {}}", "{e: 1, f: 2}", "{}"),
    "a list for a list": ("u: [3]", "u:\n  - 1\n  - 2\n", "u: [3]\n"),
    "a new section": ("x: 1", "d: 3}\n", "d: 3}\nx: 1\n"),
    "an anchored scalar": ("s: 2", "s: &s 1", "s: &s 2"),
    "an anchored scalar, by lines": ("# two\ns: 2  # b", "s: &s 1", "# two\ns: &s 2  # b"),
    "an anchored list": ("l: [2]", "l: &l\n  - 1\n", "l: &l [2]\n"),
    "an anchored list, by lines": ("l:\n    - 2", "l: &l\n  - 1\n", "l: &l\n    - 2\n"),
    "an anchored mapping emptied": ("b: {}", B, "b: &b {}\n"),
    "an anchor of its own": ("v: &v {d: 4}", "v: {<<: *b, d: 3}", "v: &v {<<: *b, d: 4}"),
    "an alias": ("v: *b", "v: {<<: *b, d: 3}", "v: *b"),
    "an alias in an alias's place": ("w: *s", "w: *b", "w: *s"),
    "an alias written out": ("w: {c: 1}", "w: *b", "w: {c: 1}"),
    "a new key, indented more": (
        "b:\n    g:\n        h: 1",
        "f: 2}\n",
        "f: 2}\n  g:\n      h: 1\n",
    ),
    "a new key, indented less": ("b:\n # i\n g: 1 # j", "f: 2}\n", "f: 2}\n  # i\n  g: 1 # j\n"),
    "a list, indented more": ("b:\n    c:\n    - 3", "  c: [1, 2]   # a list", "  c:\n  - 3"),
    "a value with a comment, indented more": (
        "b:\n    c: 3 # d",
        "c: [1, 2]   # a list",
        "c: 3 # d",
    ),
    "a section in another's place": ("v:\n  x: 1", "{<<: *b, d: 3}", "{<<: *b, d: 3, x: 1}"),
}


@pytest.mark.parametrize(("changes", "old", "new"), CASES.values(), ids=CASES.keys())
def test_only_what_changes_is_written(changes: str, old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    assert merged(TEXT, changes) == TEXT.replace(old, new)


def test_the_values_are_those_of_merged_mappings() -> None:
    changes = dedent("""\
        a: 5
        b: {d: {e: 7}, z: 1}
        t: {x: {<<: *b, c: 0}}
        u: []
        """)
    yaml = YAML(typ="safe")
    inner = {"c": [1, 2], "d": {"e": 7, "f": 2}, "z": 1}
    assert yaml.load(merged(TEXT, changes)) == {
        "a": 5,
        "b": inner,
        "t": {"x": {**inner, "c": 0}},
        "u": [],
        "s": 1,
        "l": [1],
        "w": inner,
        "v": {**inner, "d": 3},
    }
    assert merged(TEXT, "a: 1\n") == TEXT
    assert merged(TEXT.rstrip("\n"), "a: 1\n") == TEXT


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            "s: &mine 2",
            "&s may be used elsewhere in what this extends; write the value without a name",
        ),
        ("s: *b", "&s may be used elsewhere in what this extends; write the value without a name"),
        (
            "b: &mine {c: 2}",
            "&b may be used elsewhere in what this extends; write the value without a name",
        ),
        ("s: &s 2", "&s is given already; leave it out or rename it"),
    ],
)
def test_an_anchor_that_others_use_is_not_replaced(changes: str, problem: str) -> None:
    with pytest.raises(MarkedYAMLError) as caught:
        merged(TEXT, f"a: 1\n{changes}")
    assert caught.value.problem == problem
    assert caught.value.problem_mark is not None
    assert caught.value.problem_mark.line == TEXT.count("\n") + 1
