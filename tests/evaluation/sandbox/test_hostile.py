"""Hostile programs, each beside honest ones, inside a second wall: none gets out."""

import json
import sys
from typing import Any

import pytest

from harness.common.stores import repo_root
from harness.evaluation.sandbox import missing_walls
from tests.helpers.hostile_programs import HOSTILE
from tests.helpers.second_wall import available, behind

SOURCES = [(kind, source) for kind, group in HOSTILE.items() for source in group]


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    if not available():
        pytest.skip("no second wall on this machine: unshare makes no namespaces")
    assert missing_walls() == ""
    # The guest that is made here already: behind the wall, /tmp is all that can be written.
    guests = repo_root() / ".store/scratch/sandbox"
    copied = (
        "mkdir -p /tmp/repo/.store/scratch && cp -r $0 /tmp/repo/.store/scratch && cd /tmp/repo"
    )
    run = f"{copied} && exec $1 -m tests.helpers.hostile_programs"
    done = behind("sh", "-c", run, str(guests), sys.executable, timeout=500)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_there_are_enough_of_them() -> None:
    assert len(SOURCES) == len(set(SOURCES)) >= 60


def test_no_hostile_program_gets_what_it_wants(seen: dict[str, Any]) -> None:
    wins = [
        (kind, source, values)
        for (kind, source), (values, _) in zip(SOURCES, seen["hostile"], strict=True)
        if values is not None and values[0]
    ]
    assert wins == []


def test_honest_programs_beside_them_all_pass(seen: dict[str, Any]) -> None:
    draws = {values[1] for values in seen["honest"]}
    assert len(draws) == 1, "each begins with the same fresh interpreter"
    assert [values[0] for values in seen["honest"]] == list(range(len(SOURCES) + 1))


def test_nothing_of_it_is_seen_from_outside(seen: dict[str, Any]) -> None:
    assert seen["victim"] == [["/tmp/victim/secret"], "kept"]
    assert seen["library"], "a module of Python's was changed"
    assert seen["signals"] == []
    assert seen["asked"] == [], "there was a connection"
    assert seen["bystander"] is None, "another process was ended"
    assert seen["processes"], "a process is left"
    assert seen["tmp"] == ["repo", "victim"], "files are left"
