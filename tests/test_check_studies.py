"""`make check` refuses what DVC could not parse, and studies that no stage could run."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.check import check_params
from harness.params import load_params
from harness.yaml_files import read_yaml
from tests.small_repo import yaml

ROOT = Path(__file__).resolve().parents[1]


def check(folder: Path, values: dict[str, Any]) -> list[str]:
    path = folder / "params.yaml"
    yaml().dump(values, path)
    problems = check_params(path)
    assert all("\n" not in problem for problem in problems)
    return problems


def words(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            yield from words(value)
    elif isinstance(node, list):
        for value in node:
            yield from words(value)
    else:
        yield str(node)


def keys_that_dvc_reads() -> set[str]:
    """What dvc.yaml interpolates or lists as params, cells' own keys spelt out for one cell."""
    stages = read_yaml(ROOT / "dvc.yaml")["stages"]
    found = {key for word in words(stages) for key in re.findall(r"\$\{([^}]+)\}", word)}
    for stage in stages.values():
        found |= {key for key in stage.get("do", stage).get("params", []) if "$" not in key}
    cells = {
        "item.sampler",
        "item.k",
        "item.study",
        "item.group",
        "item.selection",
        "item.of",
        "key",
    }
    cell_keys = {"selections.random.sampler", "selections.random.k", "references.none.study"}
    cell_keys |= {"selections_scored.kmq.sampler", "selections_scored.kmq.k"}
    cell_keys |= {"selections_rounds.diverse_evol.sampler", "cuts.random_200.of"}
    return (found - cells) | cell_keys


@pytest.mark.parametrize("key", sorted(keys_that_dvc_reads()))
def test_a_key_that_dvc_reads_is_missed(tmp_path: Path, key: str) -> None:
    values = read_yaml(ROOT / "params.yaml")
    *folders, last = key.split(".")
    node = values
    for folder in folders:
        node = node[folder]
    del node[last]
    told = "\n".join(check(tmp_path, values))
    assert "missing" in told
    assert last in told


def test_the_keys_that_dvc_reads_are_found() -> None:
    wanted = {"cluster.k", "cluster.seed", "groups.more", "studies.sensitivity.more_seeds"}
    assert wanted | {"reports.main", "evaluate.suite", "budget"} <= keys_that_dvc_reads()


@pytest.mark.parametrize(
    ("study", "field", "name", "told"),
    [
        ("main", "selections", "oracle", "'oracle' is a row of the study 'sensitivity'"),
        ("sensitivity", "selections", "full", "'full' is a row of the study 'main'"),
        ("sensitivity", "selections", "random", "'random' is a row of the study 'main'"),
        ("sensitivity", "more_seeds", "oracle", "'oracle' is a row of the study 'sensitivity'"),
        ("main", "more_seeds", "random", "studies.main.more_seeds: only `sensitivity`"),
    ],
)
def test_a_row_is_listed_where_its_subsets_are_made(
    tmp_path: Path, study: str, field: str, name: str, told: str
) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values["studies"][study].setdefault(field, []).append(name)
    (problem,) = check(tmp_path, values)
    assert told in problem


def test_more_seeds_are_of_rows_that_main_has(tmp_path: Path) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values["studies"]["main"]["selections"].remove("random")
    (problem,) = check(tmp_path, values)
    assert "more_seeds: 'random' is not in studies.main.selections; add it" in problem


@pytest.mark.parametrize("section", ["studies", "reports"])
def test_a_study_without_stages_is_refused(tmp_path: Path, section: str) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values[section]["mian"] = values[section]["main"]
    (problem,) = check(tmp_path, values)
    assert f"{section}: no stage is there for a study 'mian'; did you mean 'main'?" in problem


def test_a_report_is_of_its_own_study(tmp_path: Path) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values["reports"]["main"] = ["sensitivity"]
    (problem,) = check(tmp_path, values)
    assert "reports.main: write [main], or []" in problem


@pytest.mark.parametrize(
    ("name", "share", "told"),
    [
        ("noise_25", None, "references.noise_25: rows noise need `share`"),
        ("skills_25", None, "references.skills_25: rows coverage need `share`"),
        ("oracle", 0.5, "references.oracle: rows oracle take no `share` (0.5)"),
        ("none", 0.0, "references.none: rows none take no `share` (0.0)"),
    ],
)
def test_doses_have_a_share_and_others_none(
    tmp_path: Path, name: str, share: float | None, told: str
) -> None:
    values = read_yaml(ROOT / "params.yaml")
    values["references"][name]["share"] = share
    (problem,) = check(tmp_path, values)
    assert told in problem


@pytest.mark.parametrize(("budget", "rows"), [(0.1, 60), (0.0001, 1), (1, 1), (600, 600)])
def test_a_budget_is_a_share_or_whole_rows(tmp_path: Path, budget: float, rows: int) -> None:
    values = read_yaml(ROOT / "params.yaml") | {"budget": budget}
    assert check(tmp_path, values) == []
    assert load_params(tmp_path / "params.yaml").absolute_budget(600) == rows
