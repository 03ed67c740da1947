"""The quality a selection names: what it may say, and what it comes to."""

import numpy as np
import pandas as pd
import pytest

from harness.common.errors import InputError
from harness.samplers import SAMPLERS, Pool
from harness.selecting.quality import quality_notes, quality_vector, terms


def scores(**columns: list[float]) -> pd.DataFrame:
    rows = len(next(iter(columns.values())))
    return pd.DataFrame({"id": [f"r{i}" for i in range(rows)], **columns})


def test_terms() -> None:
    assert terms("length") == [(None, "length")]
    assert terms("ifd*sigmoid( reward )") == [(None, "ifd"), ("sigmoid", "reward")]
    assert terms("rank(a) * minmax(b) * c") == [("rank", "a"), ("minmax", "b"), (None, "c")]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "'' is neither a column nor one of"),
        ("a +", "'a +' is neither"),
        ("a * ", "'' is neither"),
        ("sigmod(a)", "no transform is called 'sigmod'; did you mean 'sigmoid'"),
        ("sigmoid(a", "'sigmoid(a' is neither"),
        ("__import__('os')", "is neither a column"),
    ],
)
def test_an_expression_that_is_not_a_quality(expression: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        terms(expression)
    assert message in str(error.value)


def test_a_product_of_columns_worked_by_hand() -> None:
    frame = scores(a=[1.0, 2.0, 4.0], b=[0.0, -1.0, 1.0])
    assert quality_vector("a", frame).tolist() == [1, 2, 4]
    assert quality_vector("minmax(a)", frame).tolist() == [0, 1 / 3, 1]
    assert quality_vector("rank(b)", frame).tolist() == [0.5, 0, 1]
    expected = [0.5, 2 / (1 + np.e), 4 / (1 + 1 / np.e)]
    assert quality_vector("a * sigmoid(b)", frame) == pytest.approx(expected, abs=1e-12)


def test_limit_cases() -> None:
    frame = scores(a=[3.0, 3.0, 3.0], b=[700.0, -800.0, 0.0])
    assert quality_vector("minmax(a)", frame).tolist() == [0, 0, 0]
    assert quality_vector("rank(a)", frame).tolist() == [0.5, 0.5, 0.5]  # ties share the mean rank
    assert quality_vector("sigmoid(b)", frame).tolist() == [1, 0, 0.5]  # logits of any size
    assert quality_vector("rank(a)", scores(a=[5.0])).tolist() == [0]


@pytest.mark.parametrize(
    ("values", "expression", "message"),
    [
        ([1.0, np.nan], "a", "a of instance 'r1' (nan) is not a finite number"),
        ([1.0, np.inf], "sigmoid(a)", "a of instance 'r1' (inf) is not a finite number"),
        ([1.0, -2.0], "a", "instance 'r1' (-2) is negative; use sigmoid(...)"),
        ([1.0, 2.0], "b", "no scorer is called 'b'"),
        ([1.0, 2.0], "id", "no scorer is called 'id'"),
    ],
)
def test_bad_scores_are_named(values: list[float], expression: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        quality_vector(expression, scores(a=values))
    assert message in str(error.value)


def test_difficulties_above_one_are_kept() -> None:
    quality = quality_vector("ifd", scores(ifd=[0.4, 1.0, 1.7]))
    assert quality.tolist() == [0.4, 1.0, 1.7]
    pool = Pool(np.eye(3, dtype=np.float32), quality)
    for key in ("top_k", "deita"):
        assert SAMPLERS[key](pool, 2, np.random.default_rng(0)).tolist() == [2, 1]


def test_two_negative_factors_are_no_quality() -> None:
    frame = scores(a=[1.0, -2.0, 3.0], b=[1.0, -5.0, 3.0])
    with pytest.raises(InputError, match=r"'a \* b': a of instance 'r1' \(-2\) is negative"):
        quality_vector("a * b", frame)
    with pytest.raises(InputError, match=r": b of instance 'r1' \(-5\) is negative"):
        quality_vector("rank(a) * b", frame)


def test_a_transform_that_saturates_is_said_with_the_remedy() -> None:
    frame = scores(reward=[*np.linspace(40.0, 90.0, 8), 0.5, -1.0], a=np.arange(10.0).tolist())
    message = (
        "sigmoid(reward) is 1 for 8 of 10 rows whose scores differ (reward is -1 to 90): "
        "use rank(reward), which keeps their order"
    )
    assert quality_notes("a * sigmoid(reward)", frame) == (message,)
    assert len(set(quality_vector("rank(reward)", frame))) == 10
    low = quality_notes("sigmoid(reward)", scores(reward=[-800.0, -900.0, 3.0]))
    assert low[0].startswith("sigmoid(reward) is 0 for 2 of 3 rows")


@pytest.mark.parametrize("expression", ["sigmoid(b)", "rank(b)", "minmax(b)", "a", "rank(a)"])
def test_a_transform_that_keeps_scores_apart_is_not_noted(expression: str) -> None:
    """Equal scores are the scorer's matter, and two in a thousand are rounding."""
    spread = np.linspace(-15.0, 15.0, 1000)
    spread[1] = np.nextafter(spread[0], 0)
    frame = scores(a=[3.0] * 1000, b=spread.tolist())
    assert quality_notes(expression, frame) == ()
