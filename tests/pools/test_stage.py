"""The prepare stage as it is run: one line for bad input, earlier outputs left as they were."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from harness.common.files import folder_hash
from tests.helpers.pool_files import as_jsonl
from tests.helpers.presets import preset_file

ROOT = Path(__file__).resolve().parents[2]


def stage(folder: Path, most: int = resource.RLIM_INFINITY) -> subprocess.CompletedProcess[str]:
    """The stage, which may write files of so many bytes at most."""
    return subprocess.run(
        [sys.executable, "-m", "pipeline.prepare"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where the own preset was prepared once."""
    here = tmp_path_factory.mktemp("own")
    (here / "params.yaml").write_text(preset_file("own").read_text())
    rows = [{"instruction": f"say {i}", "output": f"it is {i}"} for i in range(250)]
    as_jsonl(here / "my.jsonl", rows)
    done = stage(here)
    assert (done.returncode, done.stderr) == (0, "")
    return here


BAD = {
    "row": (b'{"instruction": "a", "output": 4}\n', "my.jsonl, row 1: the response is not text"),
    "cut": (b'{"instruction": "a", "output": "b"}\n{"ins', "my.jsonl, row 2: the last line is cut"),
    "few": (b'{"instruction": "a", "output": "b"}\n', "my.jsonl: valid rows: 1, needed: 200"),
    "blank": (b"\n", "my.jsonl: empty, no rows"),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_bad_input_ends_the_stage_and_writes_nothing(folder: Path, case: tuple[bytes, str]) -> None:
    before = folder_hash(folder / "data")
    (folder / "my.jsonl").write_bytes(case[0])
    done = stage(folder)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {case[1]}")
    assert done.stderr.count("\n") == 1
    assert folder_hash(folder / "data") == before


def test_a_file_over_the_size_that_is_allowed_is_named(folder: Path) -> None:
    before = folder_hash(folder / "data")
    rows = [{"instruction": f"say {i}", "output": f"it is {i}"} for i in range(250)]
    as_jsonl(folder / "my.jsonl", rows)
    done = stage(folder, 1000)
    assert done.returncode == 1
    message = "the file is over the size that is allowed; raise it (ulimit -f)"
    assert done.stderr == f"error: data/pool.parquet: {message}\n"
    assert folder_hash(folder / "data") == before


def test_a_hub_pool_without_network_is_refused_in_one_line(folder: Path) -> None:
    text = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(text.replace("source: my.jsonl", "source: owner/pool"))
    done = stage(folder)
    (folder / "params.yaml").write_text(text)
    assert done.returncode == 1
    assert done.stderr.startswith("error: owner/pool: no such file here")
    assert done.stderr.count("\n") == 1
