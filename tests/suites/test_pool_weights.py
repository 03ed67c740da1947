"""The weights of a suite's columns as the pool is mixed."""

from typing import Any

import pytest
from pydantic import ValidationError

from harness.lab.world import FAMILIES
from harness.suites import SUITES, Suite, load_suite


def suite(**mirrors: str | None) -> Suite:
    """A suite with a column for each name, and their mean."""
    columns: list[dict[str, Any]] = [
        {
            "name": name,
            "label": name,
            "kind": "lm_eval",
            "task": "science.yaml",
            "metric": "acc,none",
            "higher_is_better": True,
            "mirrors": family,
        }
        for name, family in mirrors.items()
    ]
    mean = {"name": "avg", "label": "Average", "kind": "mean", "of": list(mirrors)}
    columns.append({**mean, "higher_is_better": True})
    values = {"name": "small", "title": "small", "headline": "avg", "columns": columns}
    return Suite.model_validate({**values, "folder": SUITES["lab"]})


def test_weights_are_the_shares_of_the_families() -> None:
    weights = suite(facts="art", programs="code").pool_weights({"art": 0.25, "code": 0.75})
    assert weights == {"facts": 0.25, "programs": 0.75}
    average = sum(weights[name] * score for name, score in {"facts": 40, "programs": 20}.items())
    assert average == 25


def test_columns_of_one_family_share_its_weight_and_families_that_none_mirrors_have_none() -> None:
    mix = {"art": 0.2, "code": 0.3, "talk": 0.5}
    weights = suite(facts="art", names="art", programs="code").pool_weights(mix)
    assert weights == pytest.approx({"facts": 0.2, "names": 0.2, "programs": 0.6})


@pytest.mark.parametrize("family", [None, "chess"])
def test_without_a_family_of_the_pool_for_every_column_there_are_none(family: str | None) -> None:
    assert suite(facts="art", games=family).pool_weights({"art": 1.0}) == {}
    assert suite(facts="art").pool_weights({}) == {}


def test_a_mean_mirrors_nothing() -> None:
    column = {"name": "avg", "label": "", "kind": "mean", "of": [], "higher_is_better": True}
    values = {"name": "s", "title": "", "headline": "avg", "folder": SUITES["lab"]}
    with pytest.raises(ValidationError, match="kind mean has no use for `mirrors`"):
        Suite.model_validate({**values, "columns": [{**column, "mirrors": "art"}]})


def test_each_benchmark_of_the_lab_mirrors_the_family_of_its_name() -> None:
    weights = load_suite("lab").pool_weights(dict.fromkeys(FAMILIES, 1 / 6))
    assert weights == pytest.approx(dict.fromkeys(FAMILIES, 1 / 6))


@pytest.mark.parametrize("name", [name for name in SUITES if name != "lab"])
def test_suites_of_real_text_mirror_no_family(name: str) -> None:
    assert load_suite(name).pool_weights({"art": 1.0}) == {}
