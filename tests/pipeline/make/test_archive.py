"""Results in an archive: what one clone pushes another pulls, from a folder or over HTTP."""

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.common.files import folder_hash
from tests.helpers.small_repo import run, yaml

PULL = ("python", "-m", "pipeline.make.archive", "pull")
PUSH = ("python", "-m", "pipeline.make.archive", "push")


@pytest.fixture(scope="module")
def whole(small_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which everything has run, pushed to the folder `archive` beside it."""
    folder = tmp_path_factory.mktemp("archive")
    repo = shutil.copytree(small_runs / "whole", folder / "whole")
    said = run(repo, *PUSH, str(folder / "archive")).stdout
    assert "pushed to" in said
    return repo


def clone(whole: Path, folder: Path) -> Path:
    run(whole, "git", "clone", "-q", str(whole), str(folder))
    assert not (folder / "runs").exists()
    return folder


@pytest.fixture(scope="module")
def served(whole: Path) -> Iterator[str]:
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(whole.parent / "archive")
    )
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("of", ["folder", "url"])
def test_a_clone_has_every_run_without_training(
    whole: Path, served: str, tmp_path: Path, of: str
) -> None:
    copy = clone(whole, tmp_path / "clone")
    said = run(copy, *PULL, served if of == "url" else str(whole.parent / "archive")).stdout
    assert "4 of 4 cells of params.yaml are here" in said
    assert folder_hash(copy / "runs") == folder_hash(whole / "runs")
    assert "Running stage" not in run(copy, "dvc", "repro", "report").stdout


def test_bad_places_are_one_line(whole: Path, tmp_path: Path) -> None:
    copy = clone(whole, tmp_path / "clone")
    locked = yaml().load(copy / "dvc.lock")["stages"].values()
    made = [out["path"] for stage in locked for out in stage.get("outs", [])]
    cached = [path for path in made if not path.startswith("results/")]
    for words, rule in (
        (PULL, "FROM: no place is named; make pull-results FROM=folder"),
        ((*PULL, "nowhere"), "FROM=nowhere: no such folder, and no URL"),
        ((*PULL, "s3:/bucket"), "FROM=s3:/bucket: no folder, and no URL"),
        ((*PUSH, str(tmp_path / "new")), "outputs of dvc.lock are not here (data/"),
        ((*PUSH, "dvc.yaml"), "TO=dvc.yaml: is a file; name a folder"),
        ((*PULL, "http://127.0.0.1:9"), "http://127.0.0.1:9: cannot be reached ("),
        ((*PULL, str(tmp_path)), f": {len(cached)} outputs of dvc.lock could not be had"),
    ):
        done = run(copy, *words, check=False)
        assert done.returncode == 1
        last = done.stderr.strip().splitlines()[-1]
        assert last.startswith("error: ")
        assert rule in last


def test_what_is_in_no_cache_is_not_pulled_over(whole: Path, tmp_path: Path) -> None:
    copy = clone(whole, tmp_path / "clone")
    (copy / "data").mkdir()
    (copy / "data/pool.parquet").write_text("mine")
    done = run(copy, *PULL, str(whole.parent / "archive"), check=False)
    assert done.returncode == 1
    assert "data/pool.parquet is not as dvc.lock has it and would be replaced" in done.stderr
    assert (copy / "data/pool.parquet").read_text() == "mine"
