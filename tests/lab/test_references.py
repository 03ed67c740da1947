"""The references contain what their names say, and refuse what the pool cannot give."""

import numpy as np
import pytest

from harness.common.errors import InputError
from harness.lab.references import (
    Sized,
    coverage_dose,
    full_clean,
    noise_dose,
    oracle,
    reference_chooser,
)
from harness.lab.world import World, build_world
from harness.params.lab import LabParams


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(LabParams(instances=6000, documents=500))


def test_full_clean_and_oracle(world: World) -> None:
    clean = full_clean(world.truth)
    chosen = world.truth.iloc[clean]
    assert (chosen["noise"] == "none").all()
    assert (chosen["duplicate_of"] == "").all()
    picks = oracle(world.truth, 600, np.random.default_rng(0))
    assert picks.dtype == np.int64
    assert len(set(picks.tolist())) == 600
    assert set(picks.tolist()) <= set(clean.tolist())
    counts = world.truth["skill"].iloc[picks].value_counts()
    assert len(counts) == 100
    room = world.truth["skill"].iloc[clean].value_counts()
    short = room[room < counts.max()].index
    assert counts.drop(short, errors="ignore").min() >= counts.max() - 1


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_noise_doses(world: World, share: float) -> None:
    picks = noise_dose(world.truth, 600, share, np.random.default_rng(3))
    assert len(set(picks.tolist())) == 600
    assert (world.truth["noise"].iloc[picks] != "none").sum() == 600 * share


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_coverage_doses(world: World, share: float) -> None:
    for seed in range(5):
        picks = coverage_dose(world.truth, 600, share, np.random.default_rng(seed))
        assert len(set(picks.tolist())) == 600
        rows = world.truth.iloc[picks]
        assert (rows["noise"] == "none").all()
        assert abs(rows["skill"].nunique() - 100 * share) <= 3
        assert rows["family"].nunique() == 6


def _fit(sized: Sized, rng: np.random.Generator) -> np.ndarray:
    return sized(600, rng)


def test_references_refuse_what_the_pool_cannot_give(world: World) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="lower the budget"):
        noise_dose(world.truth, 2000, 1.0, rng)
    with pytest.raises(InputError, match="lower the budget"):
        coverage_dose(world.truth, 5000, 1.0, rng)
    with pytest.raises(InputError, match="only the lab"):
        reference_chooser("oracle", None, world.truth.head(0), 6000, _fit)
    with pytest.raises(InputError, match="share"):
        reference_chooser("noise", None, world.truth, 6000, _fit)


@pytest.mark.parametrize(("rows", "size"), [("none", 0), ("full", 6000), ("clean", 4080)])
def test_reference_chooser(world: World, rows: str, size: int) -> None:
    choose = reference_chooser(rows, None, world.truth, 6000, _fit)  # pyright: ignore[reportArgumentType]
    assert len(choose(np.random.default_rng(0))) == size
