"""Beginnings of subsets: by rounds, by rows, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from harness.cutting import beginning, write_cuts
from harness.errors import InputError
from harness.params import load_params
from harness.selection_params import Cut
from tests.small_repo import ROOT

ROUNDS = np.array([1, 1, 2, 3])


def subset(rounds: np.ndarray) -> pd.DataFrame:
    """Four instances a, b, c, d, in this order, that lie in the file from last to first."""
    made = pd.DataFrame({"id": list("abcd"), "order": np.arange(4), "round": rounds})
    return made.iloc[::-1]


def test_beginnings_by_hand() -> None:
    by_rounds = beginning(subset(ROUNDS), Cut(of="some", rounds=2), "cut")
    assert by_rounds["id"].tolist() == ["a", "b", "c"]
    by_rows = beginning(subset(ROUNDS), Cut(of="some", rows=2), "cut")
    assert by_rows["id"].tolist() == ["a", "b"]
    whole = beginning(subset(ROUNDS), Cut(of="some", rows=4), "cut")
    assert whole["id"].tolist() == list("abcd")


@pytest.mark.parametrize(
    ("item", "rounds", "told"),
    [
        (Cut(of="some", rows=5), ROUNDS, "cuts.cut.rows: 5 rows of some, which has 4"),
        (Cut(of="some", rounds=4), ROUNDS, "cuts.cut.rounds: 4 rounds of some, which has 3"),
        (
            Cut(of="some", rounds=1),
            0 * ROUNDS,
            "cuts.cut.rounds: 1 rounds of some, which takes all at once",
        ),
    ],
)
def test_more_than_there_is(item: Cut, rounds: np.ndarray, told: str) -> None:
    with pytest.raises(InputError) as error:
        beginning(subset(rounds), item, "cut")
    assert str(error.value) == told


def test_a_cut_that_is_not_there_names_the_nearest() -> None:
    params = load_params(ROOT / "conf" / "lab.yaml")
    with pytest.raises(
        InputError, match="cuts: no cut is called 'randm_100'; did you mean 'random"
    ):
        write_cuts(params, "randm_100")
