"""A repository that was unpacked from an archive, without git: one line, and its two remedies."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.common.errors import InputError
from pipeline.make.dvc_plan import plan
from tests.helpers.shell_repo import make_repo

# DVC's index itself uses what Python deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

REMEDIES = {
    "git init && git add -A && git commit -m start": (
        "git init -q && git add -A && git -c user.name=a -c user.email=b commit -q -m start"
    ),
    "dvc config core.no_scm true": f"'{sys.executable}' -m dvc config core.no_scm true",
}


@pytest.mark.parametrize("remedy", REMEDIES)
def test_a_tree_without_git_says_what_to_do_and_that_helps(
    remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = make_repo(tmp_path / "repo")
    monkeypatch.chdir(repo)
    shutil.rmtree(repo / ".git")
    with pytest.raises(InputError) as error:
        plan(repo, ["report"], print)
    line = str(error.value)
    assert line.startswith(f"{repo}: no git repository (unpacked from an archive?)")
    assert remedy in line
    assert "\n" not in line
    subprocess.run(REMEDIES[remedy], shell=True, cwd=repo, check=True)
    assert plan(repo, ["report"], print)[1] == 5
