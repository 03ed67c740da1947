"""Tables of the page sort by number, whatever stands around it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.page import write

SCRIPT = (Path(write.__file__).parent / "page.js").read_text(encoding="utf-8")
UP = ["−2.2 [−3.8, −0.6] †", "−0.5", "<0.001", "0.116", "+10.1 [+8.1, +12.0]", "4,080", "kmq", "–"]


@pytest.mark.parametrize(
    ("way", "ordered"), [(1, UP), (-1, [*UP[5::-1], *UP[6:]])], ids=["ascending", "descending"]
)
def test_numbers_then_words_then_blanks(way: int, ordered: list[str]) -> None:
    if (node := shutil.which("node")) is None:
        pytest.skip("no node on PATH to run the page's script; remedy: apt-get install nodejs")
    given = json.dumps({"script": SCRIPT, "cells": [*UP[::2], *UP[1::2]], "way": way})
    command = [node, str(Path(__file__).with_name("sort.js"))]
    ended = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == ordered
