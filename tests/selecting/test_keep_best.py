"""Choosing among the best rows by quality: as from a pool that has no others."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from harness.clustering.kmeans import kmeans
from harness.common.errors import InputError
from harness.common.schemas import PoolRows
from harness.params.selections import ScoredSelection
from harness.samplers import SAMPLERS, Pool
from harness.selecting import subsets
from tests.helpers.small_repo import selection

N, BUDGET = 60, 12
X = np.random.default_rng(0).normal(size=(N, 5)).astype(np.float32)
X /= np.linalg.norm(X, axis=1, keepdims=True)
QUALITY = np.random.default_rng(1).permutation(N) / N  # no two alike


def inputs(quality: np.ndarray | None = QUALITY, **more: Any) -> subsets.SamplerInputs:  # noqa: ANN401
    """The pool, in three clusters."""
    given = {"costs": np.ones(N, dtype=np.int64), "quality": quality, **more}
    return subsets.SamplerInputs(
        PoolRows(pd.DataFrame(index=range(N))), X, kmeans(X, 3, 42), **given
    )


def choose(
    key: str, given: subsets.SamplerInputs, budget: int = BUDGET, share: float = 0.5
) -> tuple[list[int], list[str]]:
    """The picks of a seed, and the notes."""
    item = ScoredSelection.model_validate(selection(key, k=3, quality="reward", keep_best=share))
    picks, cost = subsets.chosen(key, subsets.choose_with(item, given, budget), 0)
    return picks.tolist(), cost["notes"]


@pytest.mark.parametrize("key", SAMPLERS)
def test_every_sampler_chooses_as_if_the_pool_had_no_other_rows(key: str) -> None:
    kept = np.flatnonzero(np.median(QUALITY) < QUALITY)
    assert len(kept) == N // 2
    clusters = kmeans(X, 3, 42)
    pool = Pool(X[kept], QUALITY[kept], (clusters.labels[kept], clusters.centroids))
    want = kept[SAMPLERS[key](pool, BUDGET, np.random.default_rng(0))].tolist()
    assert choose(key, inputs()) == (want, [])


def test_a_cluster_without_a_row_above_the_cut_gets_no_share() -> None:
    labels = kmeans(X, 3, 42).labels
    quality = np.where(labels == 1, 0.1, 0.5) + QUALITY / 100
    share = float((labels != 1).mean())
    picks, notes = choose("km_random", inputs(quality), share=share)
    assert set(labels[picks]) == {0, 2}
    assert notes == []


def test_ties_at_the_cut_go_to_the_first_rows_and_are_noted() -> None:
    quality = np.repeat([0.2, 0.7, 0.9], 20)
    picks, (note,) = choose("random", inputs(quality), 30)
    assert sorted(picks) == [*range(20, 30), *range(40, 60)]
    assert note.startswith(
        "20 rows share the quality at the cut, 0.7; taken of them, in the pool's"
    )
    assert choose("random", inputs(quality), 30, 2 / 3)[1] == [], "no tie is cut"


def test_notes_on_the_quality_are_passed_on_once_whether_or_not_the_sampler_reads_it() -> None:
    given = inputs(quality_notes=("it is flat",))
    for key in ("random", "top_k"):
        assert choose(key, given)[1] == ["it is flat"]


def test_a_budget_in_tokens_counts_those_of_the_kept_rows() -> None:
    costs = np.where(np.median(QUALITY) < QUALITY, 7, 1)
    picks, _ = choose("random", inputs(costs=costs.astype(np.int64)), 77)
    assert len(picks) == 11


def test_a_budget_larger_than_what_is_kept_is_one_line() -> None:
    with pytest.raises(InputError) as caught:
        choose("random", inputs(), 31)
    assert str(caught.value) == (
        "keep_best: 0.5 leaves 30 rows, which are 30 of the budget's 31; raise it or lower the "
        "budget"
    )
    assert len(choose("random", inputs(), 30)[0]) == 30


def test_without_a_quality_there_is_no_best() -> None:
    with pytest.raises(InputError, match="name one, as quality: sigmoid"):
        choose("random", inputs(None))


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, 1, "0.5", float("nan")])
def test_the_share_is_between_0_and_1(share: object) -> None:
    with pytest.raises(ValidationError, match="keep_best"):
        ScoredSelection.model_validate(selection("random", quality="reward", keep_best=share))
