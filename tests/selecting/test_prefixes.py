"""Beginnings of subsets: by rounds, by rows, and what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.common import layout
from harness.common.errors import InputError
from harness.common.schemas import SUBSET, write_frame
from harness.common.stores import seal
from harness.params.params import Cell, load_params
from harness.selecting import prefixes
from tests.helpers.presets import preset_file

ROUNDS = np.array([1, 1, 2, 3])


def cell(**more: Any) -> Cell:  # noqa: ANN401
    """A cell of a study that is trained on the beginning of ``some``."""
    return Cell("curves", "some", "s0", (0,), "begun", **more)


def subset(rounds: np.ndarray) -> pd.DataFrame:
    """Four instances a, b, c, d, in this order, that lie in the file from last to first."""
    made = pd.DataFrame({"id": list("abcd"), "order": np.arange(4), "round": rounds})
    return made.iloc[::-1]


@pytest.mark.parametrize(
    ("given", "ids"),
    [({"rounds": 2}, "abc"), ({"rows": 2}, "ab"), ({"rows": 4}, "abcd"), ({}, "abcd")],
)
def test_beginnings_by_hand(given: dict[str, int], ids: str) -> None:
    begun = prefixes.beginning(subset(ROUNDS), cell(**given))
    assert begun["id"].tolist() == list(ids)
    assert begun.index.tolist() == list(range(len(ids)))


@pytest.mark.parametrize(
    ("given", "rounds", "message"),
    [
        ({"rows": 5}, ROUNDS, "further.begun.rows: 5 rows of some, which has 4"),
        ({"rounds": 4}, ROUNDS, "further.begun.rounds: 4 rounds of some, which has 3"),
        (
            {"rounds": 1},
            0 * ROUNDS,
            "further.begun.rounds: 1 rounds of some, which takes all at once",
        ),
    ],
)
def test_more_than_there_is(given: dict[str, int], rounds: np.ndarray, message: str) -> None:
    with pytest.raises(InputError) as error:
        prefixes.beginning(subset(rounds), cell(**given))
    assert str(error.value) == message


def test_an_entry_that_is_not_there_names_the_nearest() -> None:
    params = load_params(preset_file("lab"))
    message = "further: no entry is called 'rounds_randm_100'; did you mean 'rounds_random_100"
    with pytest.raises(InputError, match=message):
        params.further_cell("rounds_randm_100")


def test_a_cell_reads_its_own_seeds_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    params = load_params(preset_file("lab"))
    folder = layout.subset_folder("random") / "s0_1_2"
    folder.mkdir(parents=True)
    for seed, ids in ((0, "abcd"), (1, "efgh")):
        made = subset(0 * ROUNDS).assign(id=list(ids[::-1]), cluster=0, score=float("nan"))
        write_frame(folder / f"seed_{seed}.parquet", made.astype({"id": "str"}), SUBSET)
    seal(folder)
    begun = replace(params.further_cell("rounds_random_100"), rows=3)
    assert prefixes.cell_subset(params, begun, 1)["id"].tolist() == list("efg")
    whole = params.main_cell("random", "s0_1_2")
    assert prefixes.cell_subset(params, whole, 0)["id"].tolist() == list("abcd")
    (folder / "seed_1.parquet").unlink()
    with pytest.raises(InputError, match=r"s0_1_2.*; dvc repro select@random"):
        prefixes.cell_subset(params, whole, 0)
