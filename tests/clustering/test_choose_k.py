"""`k: auto`: the clustering of best silhouette, chosen before any training."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from harness.clustering.choose_k import choose_k
from harness.clustering.files import Clustering, read_clustering, write_clustering
from harness.clustering.kmeans import kmeans
from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import write_json
from harness.params.pruning import prune_shared
from tests.helpers.clustered_vectors import blobs
from tests.helpers.presets import preset_file
from tests.helpers.small_repo import SMALL, edit_params
from tests.helpers.stages import one_line, stage

clusters = partial(layout.cluster_folder, "minilm")
silhouette = partial(layout.silhouette_file, "minilm")
AUTO = clusters("auto")


def write(k: int, clustering: Clustering) -> None:
    """What a cell of the cluster stage writes."""
    write_json(
        silhouette(k),
        write_clustering(clusters(k), clustering),
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with clusterings of four groups: 1, 2, 4, 8 clusters."""
    monkeypatch.chdir(tmp_path)
    for k in (1, 2, 4, 8):
        write(k, kmeans(blobs(), k, seed=42))
    return tmp_path


def test_the_best_is_taken_and_said(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="harness"):
        assert choose_k("minilm", [8, 1, 4, 2]) == 4
    assert caplog.messages[0].startswith("clustering: k = 4 of 1, 2, 4, 8: the best silhouette is")
    assert len(caplog.messages) == 1, "nothing of the end of the grid"
    chosen, best = (
        read_clustering(AUTO, 80),
        read_clustering(clusters(4), 80),
    )
    np.testing.assert_array_equal(chosen.labels, best.labels)
    np.testing.assert_array_equal(chosen.centroids, best.centroids)
    assert (chosen.silhouette, chosen.inertia) == (best.silhouette, best.inertia)
    info = json.loads((AUTO / "info.json").read_text())
    assert info["k"] == 4
    assert list(info["candidates"]) == ["1", "2", "4", "8"]
    assert info["candidates"]["1"] is None
    assert info["candidates"]["4"] == best.silhouette == max(list(info["candidates"].values())[1:])


def test_the_largest_is_reported(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="harness"):
        assert choose_k("minilm", [1, 2, 4]) == 4
    message = "clustering: k = 4 is the largest tried; add larger ones to cluster.k"
    assert caplog.messages[1:] == [message]


def test_only_what_params_name_is_looked_at(folder: Path) -> None:
    assert choose_k("minilm", [1, 2]) == 2
    assert choose_k("minilm", [8]) == 8


def test_ties_go_to_the_smallest(folder: Path) -> None:
    for k in (8, 4, 2):
        result = read_clustering(clusters(k), 80)
        write(k, replace(result, silhouette=0.25))
    assert choose_k("minilm", [8, 4, 2]) == 2
    write(8, replace(read_clustering(clusters(8), 80), silhouette=0.26))
    assert choose_k("minilm", [8, 4, 2]) == 8


def test_negative_silhouettes_are_silhouettes(folder: Path) -> None:
    write(2, replace(read_clustering(clusters(2), 80), silhouette=-0.9))
    assert choose_k("minilm", [1, 2]) == 2


@pytest.mark.parametrize("grid", [[1], [80], [80, 1]])
def test_no_silhouette_to_choose_by(folder: Path, grid: list[int]) -> None:
    """The stage passes, as no selection may need it; one that does gets an error."""
    write(80, kmeans(blobs(), 80, seed=42))
    assert choose_k("minilm", grid) == min(grid)
    tried = ", ".join(map(str, sorted(grid)))
    with pytest.raises(InputError, match=rf"for k = {tried}; add another k to cluster.k"):
        read_clustering(AUTO, 80)


def test_an_empty_grid(folder: Path) -> None:
    with pytest.raises(InputError, match=r"cluster.k: no number of clusters is given"):
        choose_k("minilm", [])


@pytest.mark.parametrize("name", ["labels", "centroids"])
def test_another_clustering_than_the_silhouette_is_of(folder: Path, name: str) -> None:
    choose_k("minilm", [2, 4])
    before = (AUTO / "info.json").read_bytes()
    path = clusters(2) / f"{name}.npy"
    np.save(path, np.load(path)[::-1])
    message = rf"k_2/{name}.npy: not what {silhouette(2)} is of; dvc repro cluster@minilm-2"
    with pytest.raises(InputError, match=message):
        choose_k("minilm", [2, 4])
    assert (AUTO / "info.json").read_bytes() == before


def test_a_clustering_that_is_not_there(folder: Path) -> None:
    with pytest.raises(InputError, match=r"silhouettes/minilm/k_3.json: no such file"):
        choose_k("minilm", [3, 4])
    (clusters(2) / "labels.npy").unlink()
    with pytest.raises(
        InputError, match=r"k_2/labels.npy: no such file; dvc repro cluster@minilm-2"
    ):
        choose_k("minilm", [2, 4])


def test_what_params_no_longer_name_is_removed(folder: Path) -> None:
    choose_k("minilm", [1, 2, 4, 8])
    gone = layout.EMBEDDINGS / "gone"
    gone.mkdir(parents=True)
    removed = prune_shared(["minilm"], [1, 4])
    assert sorted(path.name for path in removed) == ["gone", "k_2", "k_2.json", "k_8", "k_8.json"]
    assert not gone.exists()
    assert sorted(path.name for path in (layout.CLUSTERS / "minilm").iterdir()) == [
        "k_1",
        "k_4",
        "k_auto",
    ]
    assert sorted(path.name for path in (layout.SILHOUETTES / "minilm").iterdir()) == [
        "k_1.json",
        "k_4.json",
    ]
    assert prune_shared(["minilm"], [1, 4]) == []
    prune_shared(["other"], [1, 4])
    assert not AUTO.parent.exists()
    assert not silhouette(1).exists()


def test_the_stage(folder: Path) -> None:
    (folder / "params.yaml").write_bytes(preset_file("lab").read_bytes())
    edit_params(folder, **{**SMALL, "cluster": {"k": [1, 4, 8]}})
    done = stage("choose_k", "minilm", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "k = 4 of 1, 4, 8" in done.stderr
    assert read_clustering(AUTO, 80).k == 4
    assert not clusters(2).exists()
    silhouette(8).unlink()
    one_line(
        stage("choose_k", "minilm", folder=folder), "data/silhouettes/minilm/k_8.json: no such file"
    )
    assert read_clustering(AUTO, 80).k == 4
