"""A base model and a folder for selections in rounds."""

import shutil
from pathlib import Path

import pytest

from harness.common import layout
from harness.rounds import journal


@pytest.fixture
def base(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(layout, "BASE_MODEL", tiny_model)
    monkeypatch.setattr(journal.ScratchJournal, "model", tiny_model)
    return tiny_model


@pytest.fixture
def tree(ready: Path, tiny_model: Path) -> Path:
    """A folder in which a selection in rounds can run, its base model a tiny one."""
    shutil.copytree(tiny_model, ready / layout.BASE_MODEL)
    return ready
