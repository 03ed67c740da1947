"""A run is trained once: not twice for two studies, nor by two processes, nor after a kill."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import read_json
from harness.common.schemas import POOL, SAMPLES, read_frame, write_frame
from harness.common.stores import seal
from harness.evaluation.cell import evaluate_cell
from harness.params.params import Cell, Params, load_params
from harness.params.training import LoraParams
from harness.suites import load_suite
from harness.suites.metrics import read_metrics
from harness.training.cell import train_cell
from harness.training.weights import base_hash, weights_folder
from tests.helpers.cells import attempts, write_heldout
from tests.helpers.small_repo import ROOT, environment

TRAIN = (
    "import sys\n"
    "from harness.training.cell import train_cell\n"
    "from pipeline.stage import named_cell\n"
    "train_cell(*named_cell(*sys.argv[1:]), 'c')"
)


def cell_of(name: str, group: str) -> Cell:
    """A cell of the main table."""
    return load_params().main_cell(name, group)


def test_two_processes_and_two_studies_train_once(repo: Params) -> None:
    env = {**environment(), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", TRAIN]
    cells = (["random", "s0"], ["other_random", ""])
    both = [subprocess.Popen([*command, *cell], env=env) for cell in cells]
    assert [process.wait() for process in both] == [0, 0]  # one waits for the other
    assert len(attempts()) == 1
    manifests = [
        read_json(layout.RUNS / cell / "train/seed_0.json")
        for cell in ("main/random/s0", "other/other_random")
    ]
    assert manifests[0] == manifests[1]
    assert manifests[0]["steps"] > 0
    assert str(Path.cwd()) not in json.dumps(manifests[0])


def test_other_params_train_again_and_lost_weights_are_named(repo: Params) -> None:
    train_cell(repo, cell_of("random", "s0"), "code")
    train_cell(repo, cell_of("random", "s0"), "code")
    assert len(attempts()) == 1
    train_cell(repo, cell_of("random", "s0"), "other code")
    assert len(attempts()) == 2
    faster = repo.train.model_copy(update={"learning_rate": 0.01})
    train_cell(repo.model_copy(update={"train": faster}), cell_of("random", "s0"), "code")
    assert len(attempts()) == 3

    manifest = read_json(layout.RUNS / "main/random/s0" / "train/seed_0.json")
    folder = weights_folder(manifest, "main", "train@random-s0")
    weights = folder / "model.safetensors"
    os.truncate(weights, weights.stat().st_size - 1)
    with pytest.raises(InputError, match=r"model\.safetensors: not what .* -f -s train@random-s0"):
        weights_folder(manifest, "main", "train@random-s0")
    weights.unlink()
    with pytest.raises(InputError, match=r"weights are gone.*dvc repro -f -s train@random-s0"):
        weights_folder(manifest, "main", "train@random-s0")


def test_rows_cut_for_length_are_reported_and_written_down(
    repo: Params, caplog: pytest.LogCaptureFixture
) -> None:
    train_cell(repo, cell_of("random", "s0"), "code")
    assert "cut to" not in caplog.text
    pool = read_frame(layout.POOL_FILE, POOL)
    pool.loc[0, "messages"] = str(pool.loc[0, "messages"]).replace("Say one.", "Say " * 30)
    write_frame(layout.POOL_FILE, pool, POOL)
    short = repo.model_copy(update={"train": repo.train.model_copy(update={"max_length": 18})})
    train_cell(short, cell_of("random", "s0"), "code")
    manifest = read_json(layout.RUNS / "main/random/s0" / "train/seed_0.json")
    assert (manifest["truncated"], manifest["dropped"]) == (2, 1)
    assert "warning: train seed 0: of 2 rows 2 cut to 18 tokens" in caplog.text
    assert "1 dropped, as no response was left" in caplog.text


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("manifest.json", b""),
        ("manifest.json", b"{}"),
        ("manifest.json", b"[1]"),
        ("manifest.json", None),
        ("model.safetensors", b"cut"),
        ("model.safetensors", None),
    ],
)
def test_a_damaged_model_is_trained_again(repo: Params, name: str, kept: bytes | None) -> None:
    train_cell(repo, cell_of("random", "s0"), "code")
    path = layout.RUNS / "main/random/s0" / "train/seed_0.json"
    manifest = read_json(path)
    damaged = weights_folder(manifest, "main", "train@random-s0") / name
    damaged.unlink() if kept is None else damaged.write_bytes(kept)
    train_cell(repo, cell_of("random", "s0"), "code")
    assert len(attempts()) == 2
    again = read_json(path)
    assert again["model_hash"] == manifest["model_hash"]
    weights_folder(again, "main", "train@random-s0")


def test_a_group_without_a_seed_of_the_selection_is_an_empty_cell(repo: Params) -> None:
    train_cell(repo, cell_of("none", "s7"), "code")
    cell = layout.RUNS / "main/none/s7"
    assert "none of this group's seeds" in read_json(cell / "train/empty.json")["reason"]
    write_heldout()
    layout.BENCHMARKS.mkdir()
    evaluate_cell(repo, cell_of("none", "s7"), "code")
    assert read_json(cell / "metrics.json") == {"suite": "lab", "seeds": {}}
    assert len(read_frame(cell / "samples.parquet", SAMPLES)) == 0


def test_the_base_row_names_the_base_model(repo: Params) -> None:
    train_cell(repo, cell_of("none", "s0"), "code")
    manifest = read_json(layout.RUNS / "main/none/s0" / "train/seed_0.json")
    assert manifest["weights"] == "base"
    assert weights_folder(manifest, "main", "train") == layout.BASE_MODEL
    assert attempts() == []


def test_a_stage_s_code_is_part_of_what_it_made(tmp_path: Path) -> None:
    """`dvc repro` after an edit must not take up what the older code left in the store."""
    shutil.copytree(ROOT / "harness", tmp_path / "harness")
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline")
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    stages = "('embed', 'train', 'evaluate')"
    code = f"from pipeline.code import code_hash; print(*map(code_hash, {stages}))"

    def hashes() -> list[str]:
        command = [sys.executable, "-c", code]
        env = {**environment(), "PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    before = hashes()
    assert len(set(before)) == 3
    for name, changed in [
        ("evaluation/bits_per_byte", 2),
        ("training/sft", 1),
        ("embedding/embed", 0),
    ]:
        with (tmp_path / f"harness/{name}.py").open("a") as stream:
            stream.write("# edited\n")
        after = hashes()
        assert [a != b for a, b in zip(before, after, strict=True)] == [
            i == changed for i in range(3)
        ]
        before = after


def test_an_adapter_is_kept_with_the_hash_of_its_base(
    repo: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is evaluated on that base, whatever is kept."""
    write_heldout()
    layout.BENCHMARKS.mkdir()
    suite = load_suite("own")
    monkeypatch.setattr("harness.suites.load_suite", lambda name: suite)
    scores = {}
    for keep in ("adapter", "full"):
        changes = {"keep_models": keep, "lora": LoraParams(rank=4)}
        params = repo.model_copy(update={"train": repo.train.model_copy(update=changes)})
        train_cell(params, cell_of("random", "s0"), keep)
        evaluate_cell(params, cell_of("random", "s0"), keep)
        scores[keep] = read_metrics(layout.RUNS / "main/random/s0/metrics.json").seeds["0"].scores
        if keep == "adapter":
            manifest = read_json(layout.RUNS / "main/random/s0/train/seed_0.json")
    assert scores["adapter"] == scores["full"]
    keeping = repo.train.model_copy(update={"keep_models": "adapter", "lora": LoraParams(rank=4)})
    train_cell(repo.model_copy(update={"train": keeping}), cell_of("random", "s0"), "full")
    assert len(attempts()) == 2, "how a model is kept trains none again"
    assert manifest["base_hash"] == base_hash()
    assert manifest["trainable_parameters"] < manifest["parameters"] / 2
    folder = weights_folder(manifest, "main", "train@random-s0")
    assert sorted(path.name for path in folder.rglob("*.safetensors")) == [
        "adapter_model.safetensors"
    ]
    # Another base model: the adapter is not of it.
    layout.BASE_MODEL.unlink()
    shutil.copytree(folder, layout.BASE_MODEL)
    seal(layout.BASE_MODEL)
    with pytest.raises(InputError, match=r"main: another model than trained; dvc repro train@ran"):
        weights_folder(manifest, "main", "train@random-s0")


def test_weights_that_are_not_kept_do_not_stop_a_second_evaluation(
    repo: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = repo.model_copy(
        update={"train": repo.train.model_copy(update={"keep_models": "none"})}
    )
    train_cell(params, cell_of("random", "s0"), "code")
    write_heldout()
    layout.BENCHMARKS.mkdir()
    suite = load_suite("own")
    monkeypatch.setattr("harness.suites.load_suite", lambda name: suite)
    evaluate_cell(params, cell_of("random", "s0"), "code")
    cell = layout.RUNS / "main/random/s0"
    first = (cell / "metrics.json").read_bytes()
    manifest = read_json(cell / "train/seed_0.json")
    with pytest.raises(InputError, match="weights are gone"):
        weights_folder(manifest, "main", "train@random-s0")
    # Killed between the cell's two files and DVC's record of them: it is taken up again.
    (cell / "metrics.json").unlink()
    evaluate_cell(params, cell_of("random", "s0"), "code")
    assert (cell / "metrics.json").read_bytes() == first
    with pytest.raises(InputError, match="weights are gone"):
        evaluate_cell(params, cell_of("random", "s0"), "other code")
