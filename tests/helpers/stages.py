"""A stage run as a process, and what it says when it fails."""

import subprocess
import sys
from pathlib import Path

from tests.helpers.small_repo import ROOT, environment


def stage(name: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a stage's module in a folder."""
    env = {**environment(), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", f"pipeline.{name}", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)


def one_line(done: subprocess.CompletedProcess[str], message: str) -> None:
    """The stage failed, and said why in one line."""
    assert done.returncode == 1
    assert done.stderr.startswith("error: "), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
