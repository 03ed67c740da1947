"""docs/fidelity.md names knobs, defaults and tests that are there."""

import inspect
import re
from pathlib import Path

import pytest

from harness.params import load_params
from harness.samplers import SAMPLERS

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
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
        tests = re.findall(r"`(test_\w+\.py)::(test_\w+)`", row[5])
        assert tests, f"no test is named: {row[0]}"
        for file, name in tests:
            assert f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), row[0]


def test_every_knob_has_its_row_and_its_default_comes_first() -> None:
    shown = dict(re.findall(r"`(\w+): ([^`,]+)[^`]*`", " | ".join(row[4] for row in CHOICES)))
    for name, defaults in knobs().items():
        assert len(defaults) == 1, name
        default = str(next(iter(defaults)))
        assert shown[name] in (default, default.lower()), name


@pytest.mark.parametrize("path", sorted((ROOT / "conf").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_preset_seeds_k_means_with_42(path: Path) -> None:
    assert load_params(path).cluster.seed == 42
