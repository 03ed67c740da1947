"""Each stage answers --help at once, and bad values end it with one line and nothing written."""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness import layout
from harness.clustering import kmeans, write_clustering
from harness.embedding_files import CARD, VECTORS
from harness.files import file_hash, write_json
from harness.schemas import POOL, SCORES, SUBSET, TRUTH, read_frame, write_frame
from tests.small_repo import ROOT, SMALL, edit_params, environment, yaml

STAGES = sorted(
    path.stem
    for path in (ROOT / "pipeline").glob("*.py")
    if 'if __name__ == "__main__"' in path.read_text()
)
HEAVY = ("torch", "transformers", "pandas", "sklearn", "mlflow", "lm_eval", "dvc")


def stage(name: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a stage's module in a folder."""
    env = {**environment(), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", f"pipeline.{name}", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)


def test_every_stage_of_the_pipeline_is_there() -> None:
    words = (ROOT / "dvc.yaml").read_text().split()
    named = {b.removeprefix("pipeline.") for a, b in itertools.pairwise(words) if a == "-m"}
    assert len(named) >= 10
    assert named <= set(STAGES)


@pytest.mark.parametrize("name", STAGES)
def test_help_answers_at_once(name: str, tmp_path: Path) -> None:
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['pipeline.{name}', '--help']\n"
        "try:\n"
        f"    runpy.run_module('pipeline.{name}', run_name='__main__')\n"
        "except SystemExit as end:\n"
        f"    print('ended', end.code, [m for m in {HEAVY} if m in sys.modules])\n"
    )
    env = {**environment(), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[0].startswith("usage: "), done.stderr
    assert done.stdout.splitlines()[-1] == "ended 0 []"


@pytest.fixture
def ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the selection stages can run: 30 instances, one embedding, clusters."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "params.yaml").write_bytes((ROOT / "conf/lab.yaml").read_bytes())
    edit_params(tmp_path, **SMALL)
    ids = [f"i{i}" for i in range(30)]
    table = {"id": ids, "row": range(1, 31), "prompt": ids, "response": ids, "messages": ids}
    layout.POOL_FILE.parent.mkdir()
    write_frame(layout.POOL_FILE, pd.DataFrame(table), POOL)
    vectors = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)
    folder = layout.EMBEDDINGS / "minilm"
    folder.mkdir(parents=True)
    np.save(folder / VECTORS, vectors)
    card = {"pool_sha256": file_hash(layout.POOL_FILE), "rows": 30, "dimensions": 8}
    write_json(folder / CARD, card)
    for k in (1, 6):
        write_clustering(layout.cluster_folder("minilm", k), kmeans(vectors, k, seed=42))
    layout.costs_file("rows").parent.mkdir()
    np.save(layout.costs_file("rows"), np.ones(30, dtype=np.int64))
    return tmp_path


def one_line(done: subprocess.CompletedProcess[str], told: str) -> None:
    """The stage failed, and said why in one line."""
    assert done.returncode == 1
    assert done.stderr.startswith("error: "), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert told in done.stderr


def test_select_writes_a_subset_a_seed(ready: Path) -> None:
    assert stage("select_subset", "random", folder=ready).returncode == 0
    folder = layout.subset_folder("main", "random") / "s0_1"
    subsets = [read_frame(folder / f"seed_{seed}.parquet", SUBSET) for seed in (0, 1)]
    assert [len(subset) for subset in subsets] == [3, 3]
    assert list(subsets[0]["id"]) != list(subsets[1]["id"])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"budget": 31}, "budget is 31; the whole pool is 30"),
        ({"selections": {"random": {"sampler": "random", "k": 5}}}, "k_5/info.json: no such file"),
        (
            {"selections": {"random": {"sampler": "k_center", "k": 1, "start": "edge"}}},
            "start is 'edge'; the choices are mean, random",
        ),
        (
            {"selections": {"random": {"sampler": "random", "k": 1, "stat": 1}}},
            "unexpected keyword argument 'stat'",
        ),
    ],
)
def test_a_selection_that_cannot_be(ready: Path, change: dict[str, object], told: str) -> None:
    stage("select_subset", "random", folder=ready)
    before = sorted(ready.rglob("*.parquet")), file_hash(layout.selection_file("main", "random"))
    edit_params(ready, **change)
    one_line(stage("select_subset", "random", folder=ready), told)
    after = sorted(ready.rglob("*.parquet")), file_hash(layout.selection_file("main", "random"))
    assert before == after


def test_an_embedding_of_another_pool(ready: Path) -> None:
    pool = read_frame(layout.POOL_FILE, POOL)
    write_frame(layout.POOL_FILE, pool.iloc[:29], POOL)
    one_line(stage("select_subset", "random", folder=ready), "embeds another pool")
    one_line(stage("cluster", "6", folder=ready), "dvc repro embed@minilm")


def test_scores_and_references(ready: Path) -> None:
    one_line(stage("score", folder=ready), "no such folder; dvc repro reward_model")
    values = yaml().load(ready / "params.yaml")
    values["scorers"] = {"length": {"scorer": "length"}}
    yaml().dump(values, ready / "params.yaml")
    assert stage("score", folder=ready).returncode == 0
    scores = read_frame(layout.SCORES_FILE, SCORES)
    assert scores["length"].tolist() == [2.0] * 10 + [3.0] * 20
    none = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in TRUTH.columns})
    write_frame(layout.TRUTH_FILE, none, TRUTH)
    references = {
        "full": {"study": "main", "rows": "full", "seeds": [0]},
        "full_clean": {"study": "main", "rows": "clean", "seeds": [0]},
    }
    edit_params(ready, references=references)
    assert stage("select_reference", "full", folder=ready).returncode == 0
    folder = layout.subset_folder("main", "full") / "s0_1"
    assert sorted(path.name for path in folder.iterdir()) == ["files.json", "seed_0.parquet"]
    assert len(read_frame(folder / "seed_0.parquet", SUBSET)) == 30
    one_line(stage("select_reference", "full_clean", folder=ready), "lab")


def test_a_file_that_is_missing_names_its_stage(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes((ROOT / "conf/lab.yaml").read_bytes())
    one_line(stage("score", folder=tmp_path), "data/pool.parquet: no such file")
    (tmp_path / "params.yaml").write_text("preset: [")
    one_line(
        stage("train", "main", "random", "s0", folder=tmp_path), "params.yaml, line 1: not YAML"
    )
