"""Reads a page of samples as a browser shows it, after some choices."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

DOM = Path(__file__).resolve().parents[1] / "viewer/dom.js"

Step = tuple[str, str | None]  # an element's id and what is chosen or typed; None clicks on it


def shown(html: str, *steps: Step) -> dict[str, Any]:
    """What the page shows after these steps; the test is skipped where there is no node."""
    if (node := shutil.which("node")) is None:
        pytest.skip("no node on PATH to run the page's script; remedy: apt-get install nodejs")
    given = json.dumps({"html": html, "steps": steps})
    ended = subprocess.run(
        [node, str(DOM)], input=given, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def items(page: dict[str, Any]) -> list[str]:
    """The items that are shown, in their order."""
    return [card["item"] for card in page["cards"]]
