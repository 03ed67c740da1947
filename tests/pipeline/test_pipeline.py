"""The whole pipeline on a small grid: real MiniLM, TRL, lm-eval and DVC, and what reruns when."""

import json
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo

from tests.helpers.small_repo import (
    ROOT,
    commit,
    edit_params,
    repro,
    run,
    selection,
    small_repo,
    yaml,
)

SEED_GROUP = "s0_1"
REPORTS = {"report_subsets", "report", "page", "track"}


@pytest.fixture(scope="module")
def repo(small_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which `dvc repro` has run once; the tests go on from each other."""
    return shutil.copytree(small_runs / "whole", tmp_path_factory.mktemp("repo") / "repo")


def table(repo: Path) -> list[str]:
    """The names of the rows of the main table."""
    lines = (repo / "results/lab/main/table.csv").read_text().splitlines()
    return [line.split(",")[0] for line in lines[1:]]


def cells(repo: Path) -> set[str]:
    """The cells that lie under runs/main."""
    return {str(p.parent.relative_to(repo / "runs/main")) for p in repo.glob("runs/main/*/*/train")}


def cell_stages(name: str) -> list[str]:
    return [f"{stage}@{name}-{SEED_GROUP}" for stage in ("describe", "train", "evaluate")]


def test_table_and_cells_are_those_of_the_params(repo: Path) -> None:
    assert table(repo) == ["none", "random", "k_center", "kmq"]
    assert cells(repo) == {f"{name}/{SEED_GROUP}" for name in table(repo)}
    metrics = json.loads((repo / f"runs/main/random/{SEED_GROUP}/metrics.json").read_text())
    assert set(metrics["seeds"]) == {"0", "1"}


def entries(lock: str) -> dict[str, Any]:
    """The entries of a dvc.lock without timings, and without the reports, which print them."""
    stages = yaml().load(lock)["stages"]
    return {
        name: {
            part: [one for one in entry.get(part, ()) if not one["path"].startswith("timings/")]
            for part in ("deps", "outs")
        }
        for name, entry in stages.items()
        if name not in REPORTS
    }


# All stages but the reports in one process, which saves their imports.
STAGES = """
from pipeline import (base_model, choose_k, cluster, contamination, cost, cost_shared, describe,
    embed, evaluate, prepare, reward_model, score, select_reference, select_subset, train)
from harness.params.params import load_params
params = load_params()
prepare.run(), contamination.run(), base_model.run(""), reward_model.run("")
embed.run("minilm"), score.run()
for k in params.cluster.k:
    cluster.run("minilm", str(k))
choose_k.run("minilm"), cost_shared.run(), cost.run("rows"), cost.run("tokens")
select_reference.run("none")
for name in params.every_selection:
    select_subset.run(name)
for name in params.table:
    for stage in (describe, train, evaluate):
        stage.run(name, params.seed_groups[0])
"""


def test_two_runs_from_nothing_make_the_same_bytes(repo: Path, tmp_path: Path) -> None:
    again = small_repo(tmp_path)
    run(again, sys.executable, "-c", STAGES)
    named = ("contamination", "describe", "evaluate")
    run(again, "dvc", "commit", "--force", *named, "--with-deps")
    first = entries(run(repo, "git", "show", "first:dvc.lock").stdout)
    assert entries((again / "dvc.lock").read_text()) == first
    apart = set(repo.glob("timings/**/*.json"))
    assert {path.relative_to(repo).parts[1] for path in apart} == {"data", "runs"}


def test_second_repro_runs_nothing(repo: Path) -> None:
    start = time.monotonic()
    assert repro(repo) == []
    assert time.monotonic() - start < 10


def test_changed_param_reruns_its_selection_only(repo: Path) -> None:
    selections = {
        "random": selection("random"),
        "k_center": selection("k_center", start="random"),
    }
    edit_params(repo, selections=selections)
    assert set(repro(repo)) == {"select@k_center", *cell_stages("k_center"), *REPORTS}
    diff = run(repo, "dvc", "params", "diff").stdout
    assert "selections.k_center.start" in diff
    # All: models this small may well score the same.
    assert "k_center" in run(repo, "dvc", "metrics", "diff", "--all").stdout
    commit(repo, "random start")


def test_changed_sampler_file_reruns_its_selection_only(repo: Path) -> None:
    path = repo / "harness/samplers/k_center.py"
    path.write_text(path.read_text() + "\n# A comment changes no pick.\n")
    # The subsets come out the same, so nothing is trained; what choosing cost is reported anew.
    describing = f"describe@k_center-{SEED_GROUP}"
    assert set(repro(repo)) == {"select@k_center", describing, *REPORTS}


def test_changed_quality_reruns_its_selection_only(repo: Path) -> None:
    kmq = selection("kmq", k="auto", quality="length")
    edit_params(repo, selections_scored={"kmq": kmq})
    assert set(repro(repo)) == {"select_scored@kmq", *cell_stages("kmq"), *REPORTS}
    commit(repo, "another quality")


def test_added_selection_runs_only_its_own(repo: Path) -> None:
    selections = {
        "random": selection("random"),
        "k_center": selection("k_center", start="random"),
        "km_random": selection("km_random", k=6),
    }
    edit_params(
        repo, selections=selections, table=["none", "random", "k_center", "kmq", "km_random"]
    )
    assert set(repro(repo)) == {"select@km_random", *cell_stages("km_random"), *REPORTS}
    assert table(repo) == ["none", "random", "k_center", "kmq", "km_random"]


def test_removed_selection_leaves_table_and_fresh_clone_agrees(repo: Path, tmp_path: Path) -> None:
    selections = {
        "random": selection("random"),
        "km_random": selection("km_random", k=6),
    }
    edit_params(repo, selections=selections, table=["none", "random", "kmq", "km_random"])
    assert set(repro(repo)) == REPORTS
    assert table(repo) == ["none", "random", "kmq", "km_random"]
    assert cells(repo) == {f"{name}/{SEED_GROUP}" for name in table(repo)}
    commit(repo, "without k_center")

    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "-q", str(repo), str(clone))
    # What a remote would hold: the cache and the cache of runs.
    shutil.copytree(repo / ".dvc/cache", clone / ".dvc/cache")
    lock = (clone / "dvc.lock").read_bytes()
    run(clone, "dvc", "checkout")
    assert repro(clone) == []
    assert (clone / "dvc.lock").read_bytes() == lock
    assert run(clone, "git", "status", "--porcelain", "dvc.lock").stdout == ""


def test_experiment_with_a_changed_param(repo: Path) -> None:
    run(repo, "dvc", "exp", "run", "-n", "larger", "-S", "selections.km_random.k=1")
    drop = re.search(r"^EXPS_DROP := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert drop is not None
    show = ("dvc", "exp", "show", "--drop", drop[1], "--csv")
    heads = run(repo, *show).stdout.splitlines()[0].split(",")
    assert {"none", "random", "kmq", "km_random", "selections.km_random.k"} <= set(heads)
    assert not [head for head in heads if "/" in head or head == "runs"], "hashes of files"
    changed = run(repo, *show, "--only-changed").stdout.splitlines()[0].split(",")
    assert {"Experiment", "selections.km_random.k"} <= set(changed)
    assert not {"none", "selections.km_random.budget"} & set(changed)
    metrics = json.loads(run(repo, "dvc", "metrics", "show", "--json").stdout)
    numbers = metrics[""]["data"]["results/lab/metrics.json"]["data"]
    assert set(numbers) == {"none", "random", "kmq", "km_random"}
    changes = json.loads(run(repo, "dvc", "params", "diff", "--json").stdout)
    knob = changes["params.yaml"]["selections.km_random.k"]
    assert knob["new"] == 1


def test_plots_and_artifacts_are_those_of_the_results(repo: Path) -> None:
    run(repo, "dvc", "plots", "show", "-o", "drawn")
    pictures = {path.name for path in (repo / "drawn/static").iterdir()}
    assert {
        f"workspace_results_lab_{name}.png" for name in ("main_table", "subsets_map")
    } <= pictures
    page = (repo / "drawn/index.html").read_text()
    assert "difference from the first baseline" in page
    with Repo(str(repo)) as opened:
        named = opened.artifacts.read()["dvc.yaml"]
    assert {one.path for one in named.values()} == {
        "data/pool.parquet",
        "data/subsets",
        "data/base_models/main",
    }
    assert all((repo / one.path).exists() for one in named.values())
