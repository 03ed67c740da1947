"""`make check`: models that params.yaml names, and sizes that nothing can have."""

from typing import Any

import pytest

from harness.check.check import check_values
from harness.common.yaml_files import read_yaml
from tests.helpers.small_repo import ROOT


def problems(*path: str, value: object) -> list[str]:
    """What is said of the lab's params with one value changed."""
    values: Any = read_yaml(ROOT / "params.yaml")
    inner = values
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return check_values(values, "params.yaml")


@pytest.mark.parametrize(
    ("path", "word", "meant"),
    [
        ("base_models.wide.source", "scrach", "scratch"),
        ("reward_models.weak.source", "bese", "base"),
        ("embeddings.minilm.model", "MiniLM", "minilm"),
        ("embeddings.lexical.model", "lexicl", "lexical"),
        ("scorers.perplexity.model", "bass", "base"),
        ("scorers.reward.model", "rewards", "reward"),
        ("selections_rounds.kmq_iterative_weak.model", "weaks", "weak"),
    ],
)
def test_a_misspelt_model_is_no_id_of_the_hub(path: str, word: str, meant: str) -> None:
    (problem,) = problems(*path.split("."), value=word)
    assert problem.startswith(f"params.yaml: {path}: {word!r} is no folder")
    assert problem.endswith(f"did you mean {meant!r}?")
    assert problems(*path.split("."), value=f"owner/{word}") == []


@pytest.mark.parametrize("table", ["embeddings.minilm", "base_models.wide", "reward_models.weak"])
def test_what_is_not_of_the_hub_has_no_commit(table: str) -> None:
    (problem,) = problems(*table.split("."), "revision", value="1" * 40)
    assert problem.startswith(f"params.yaml: {table}.revision: ")
    assert problem.endswith("is not of the hub and has none; remove it")


@pytest.mark.parametrize(("pairs", "refused"), [(1499, False), (1500, True), (None, False)])
def test_no_more_pairs_than_are_made(pairs: int | None, *, refused: bool) -> None:
    listed = problems("reward_models", "weak", "pairs", value=pairs)
    said = [
        "params.yaml: reward_models.weak.pairs: 1,500, and lab.preferences makes 1,500, of which "
        "a tenth is held out; lower it, or null for all"
    ]
    assert listed == (said if refused else [])


def test_no_more_rows_than_a_selection_takes() -> None:
    assert problems("selections", "random", "budget", value=600) == []
    (problem,) = problems("further", "scorers_random_200", "rows", value=601)  # of a tenth of 6,000
    assert problem.endswith("further.scorers_random_200.rows: 601, and random takes 600; lower it")
    first, *_ = problems("selections", "random", "budget", value=300)
    assert first.startswith(
        "params.yaml: further.scorers_random_400.rows: 400, and random takes 300;"
    )


def test_names_that_differ_by_case_in_two_tables() -> None:
    values: Any = read_yaml(ROOT / "params.yaml")
    values["references"]["KMQ"] = values["references"]["none"]
    listed = check_values(values, "params.yaml")
    assert listed == [
        "params.yaml: references.KMQ: selections_scored.kmq differs only by case; rename one"
    ]


def test_a_row_that_is_listed_twice_for_dvc() -> None:
    listed = problems("report", "metrics", value=["random", "random"])
    assert listed == ["params.yaml: report.metrics: random is listed twice; remove one"]
