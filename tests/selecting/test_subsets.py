"""From a selection to its sampler: rows, threads, and what the clock does not count."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.clustering.blocks import unit_rows
from harness.clustering.kmeans import kmeans
from harness.common.schemas import PoolRows
from harness.params.params import Selection
from harness.samplers import SAMPLERS, Pool
from harness.selecting import subsets
from tests.helpers.small_repo import ROOT, selection

N = 60


def rows() -> np.ndarray:
    """Rows of very unequal length, (60, 5) float32; the longest lie together."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 5)) + 2 * np.eye(3, 5)[np.arange(N) % 3]
    return (x * rng.uniform(0.2, 20, (N, 1))).astype(np.float32)


def choice(key: str, x: np.ndarray, k: int, **params: object) -> list[int]:
    """What the pipeline chooses of embeddings, with a clustering of k."""
    inputs = subsets.SamplerInputs(
        PoolRows(pd.DataFrame(index=range(N))),
        x,
        kmeans(x, k, 42),
        np.ones(N, dtype=np.int64),
        np.arange(N) / N,
    )
    item = Selection.model_validate(selection(key, k=k, **params))
    choose = subsets.choose_with(item, inputs, 12)
    return subsets.chosen(key, choose, 0)[0].tolist()


@pytest.mark.parametrize("k", [1, 3])
def test_those_that_read_no_clusters_see_the_rows_as_they_are(k: int) -> None:
    want, unit = (
        SAMPLERS["k_center"](Pool(x), 12, np.random.default_rng(0)).tolist()
        for x in (rows(), unit_rows(rows()))
    )
    assert want != unit, "the case this test is about"
    assert choice("k_center", rows(), k) == want


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("key", ["km_closest", "deita", "qdit"])
def test_those_that_compare_directions_see_rows_of_length_1(key: str, k: int) -> None:
    x = unit_rows(rows())
    result = kmeans(x, k, 42)
    pool = Pool(x, np.arange(N) / N, (result.labels, result.centroids))
    want = SAMPLERS[key](pool, 12, np.random.default_rng(0)).tolist()
    assert choice(key, rows(), k) == choice(key, x, k) == want


@pytest.mark.parametrize(("given", "threads"), [((), 1), ((None,), None), ((4,), 4)])
def test_a_sampler_starts_the_threads_that_the_inputs_say(
    given: tuple, threads: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int | None] = []

    def random(pool: Pool, budget: int, rng: np.random.Generator) -> np.ndarray:
        seen.append(pool.threads)
        return np.arange(budget)

    monkeypatch.setitem(SAMPLERS, "random", replace(SAMPLERS["random"], function=random))
    x = rows()
    costs = np.ones(N, dtype=np.int64)
    inputs = subsets.SamplerInputs(
        PoolRows(pd.DataFrame(index=range(N))), x, kmeans(x, 1, 42), costs, None, *given
    )
    item = Selection.model_validate(selection("random"))
    subsets.choose_with(item, inputs, 5)(np.random.default_rng(0))
    assert set(seen) == {threads}


def test_the_warm_up_is_not_timed_and_its_failure_not_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[int, int]] = []

    def random(pool: Pool, budget: int, rng: np.random.Generator) -> np.ndarray:
        asked.append((pool.size, budget))
        if len(asked) == 1:
            raise RuntimeError("too few rows")
        return np.arange(budget)

    monkeypatch.setitem(SAMPLERS, "random", replace(SAMPLERS["random"], function=random))
    monkeypatch.setattr(subsets, "FEW", 16)
    assert choice("random", rows(), 3) == list(range(12))
    assert asked == [(16, 2), (N, 12)]


# Compiled: what a first run on a few rows loads, and what a real one does after it.
SCRIPT = """
import sys
import numpy as np
import pandas as pd
from harness.selecting import subsets
from harness.clustering.kmeans import kmeans
from harness.params.params import Selection
from harness.common.schemas import PoolRows

key, n = sys.argv[1], 700
x = np.random.default_rng(0).normal(size=(n, 6)).astype(np.float32)
x /= np.linalg.norm(x, axis=1, keepdims=True)
costs = np.ones(n, dtype=np.int64)
pool = PoolRows(pd.DataFrame(index=range(n)))
inputs = subsets.SamplerInputs(pool, x, kmeans(x, 1, 42), costs, x[:, 0] ** 2)

def compiled():
    found = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("harness.samplers.kernels."):
            for value in vars(module).values():
                if hasattr(value, "signatures"):
                    found[value.__name__] = len(value.signatures)
    return found

item = Selection(sampler=key, embedding="minilm", k=1, budget=300)
choose = subsets.choose_with(item, inputs, 300)
before = compiled()
subsets.chosen(key, choose, 0)
assert before and before == compiled(), (before, compiled())
"""


@pytest.mark.parametrize("key", ["k_center", "qdit"])
def test_nothing_is_compiled_on_the_clock(key: str) -> None:
    run: Any = subprocess.run(
        [sys.executable, "-c", SCRIPT, key], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_a_budget_in_tokens_notes_what_its_own_choice_met_alone() -> None:
    """The numbers of rows that were tried on the way cut through other ties."""
    costs = np.tile([50, 1, 1], N // 3)
    inputs = subsets.SamplerInputs(
        PoolRows(pd.DataFrame(index=range(N))),
        rows(),
        kmeans(rows(), 1, 42),
        costs.astype(np.int64),
        np.repeat(np.arange(N // 4), 4).astype(np.float64),
    )
    item = Selection.model_validate(selection("top_k"))
    picks, cost = subsets.chosen("top_k", subsets.choose_with(item, inputs, 370), 0)
    assert len(picks) % 4, "the case this test is about"
    (note,) = cost["notes"]
    least = inputs.quality[picks[-1]] if inputs.quality is not None else 0
    assert note.startswith(f"4 rows share the quality at the cut, {least:g}; taken of them")


def test_ties_of_a_quality_are_noted_for_samplers_that_read_it() -> None:
    inputs = subsets.SamplerInputs(
        PoolRows(pd.DataFrame(index=range(N))),
        rows(),
        kmeans(rows(), 1, 42),
        np.ones(N, dtype=np.int64),
        np.arange(N) / N,
        quality_notes=("it is flat",),
    )
    for key, notes in (("top_k", ["it is flat"]), ("k_center", [])):
        item = Selection.model_validate(selection(key))
        choose = subsets.choose_with(item, inputs, 12)
        assert subsets.chosen(key, choose, 0)[1]["notes"] == notes
