"""docs/fidelity.md names knobs, defaults and tests that are there; some signs are pinned here."""

import inspect
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.params.params import load_params
from harness.round_systems import ROUND_SYSTEMS
from harness.samplers import SAMPLERS, Pool
from tests.helpers.sampler_pools import take

ROOT = Path(__file__).resolve().parents[2]
WHOLE = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
PAGE = WHOLE.partition("\n## Knobs\n")[0]  # what follows is made from the code
ROWS = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
CHOICES = [row for row in ROWS if row[0] != "| choice"]


def knobs() -> dict[str, set[object]]:
    """Every knob of a sampler and its defaults."""
    found: dict[str, set[object]] = {}
    for sampler in SAMPLERS.values():
        for name, knob in inspect.signature(sampler).parameters.items():
            if knob.kind is knob.KEYWORD_ONLY:
                found.setdefault(name, set()).add(knob.default)
    return found


def test_every_choice_names_tests_that_are_there() -> None:
    assert len(CHOICES) > 15
    for row in CHOICES:
        assert len(row) == 6, row
        tests = re.findall(r"`((?:\w+/)*test_\w+\.py)::(test_\w+)`", row[5])
        assert tests, f"no test is named: {row[0]}"
        for file, name in tests:
            assert f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), row[0]


def test_every_knob_has_its_row_and_its_default_comes_first() -> None:
    shown = dict(re.findall(r"`(\w+): ([^`,]+)[^`]*`", " | ".join(row[4] for row in CHOICES)))
    for name, defaults in knobs().items():
        assert len(defaults) == 1, name
        default = str(next(iter(defaults)))
        assert shown[name] in (default, default.lower()), name


def section(title: str) -> str:
    """The switches of a part of the page."""
    part = next(part for part in PAGE.split("\n## ") if title in part.splitlines()[0])
    return " | ".join(line.split(" | ")[4] for line in part.splitlines() if line.count(" | ") == 5)


@pytest.mark.parametrize("name", ROUND_SYSTEMS)
def test_every_knob_of_a_system_of_rounds_has_its_row(name: str) -> None:
    shown = dict(re.findall(r"`(\w+): ([^`,]+)[^`]*`", section(f"`{name}`")))
    for key, knob in inspect.signature(ROUND_SYSTEMS[name]).parameters.items():
        if key in knobs():  # kmq's own: the page says so
            assert f"`{key}`" in PAGE
            assert knob.default in knobs()[key]
        else:
            assert shown[key] == str(knob.default), key


# Three copies of one direction, of no quality, and one instance of another, of all quality.
QDIT = Pool(
    np.array([[1, 0], [1, 0], [1, 0], [0, 1]], dtype=np.float32), np.array([0.0, 0.0, 0.0, 1.0])
)


def test_qdit_gains_are_sums_by_default() -> None:
    # The sum: half of 3 beats half of 1 and half of quality 1. The mean: 3/8 against 1/8 + 1/2.
    assert take("qdit", QDIT, 1).tolist() == [0]
    assert take("qdit", QDIT, 1, diversity="mean").tolist() == [3]


def test_qdit_weighs_both_alike_by_default() -> None:
    # In the mean a copy has (1 - a) * 3/4, the other (1 - a) * 1/4 + a: alike at a = 1/3.
    for weight, first in ((0.0, 0), (0.3, 0), (0.4, 3), (1.0, 3)):
        picks = take("qdit", QDIT, 1, diversity="mean", quality_weight=weight)
        assert picks.tolist() == [first]
    # Quality counts from 0 to 1: 10 to 20 is no more than that.
    scaled = replace(QDIT, quality=np.array([10.0, 10.0, 10.0, 20.0]))
    assert take("qdit", scaled, 1).tolist() == [0]


@pytest.mark.parametrize("path", sorted((ROOT / "conf").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_preset_seeds_k_means_with_42(path: Path) -> None:
    assert load_params(path).cluster.seed == 42


@pytest.mark.parametrize("path", sorted((ROOT / "conf").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_deita_row_of_every_preset_is_ifd_times_reward(path: Path) -> None:
    params = load_params(path)
    if "deita" in params.selections_scored:
        assert params.selections_scored["deita"].quality == "ifd * sigmoid(reward)"
        made_by = {name: item.scorer for name, item in params.scorers.items()}
        assert (made_by["ifd"], made_by["reward"]) == ("ifd", "reward_model")
