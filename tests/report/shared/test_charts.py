"""Charts of the page: JSON values, the Pareto front, and specifications that Vega-Lite draws."""

import json

import pytest
import vl_convert

from harness.report.shared.charts import apart, front, intervals, plain_values

NAN = float("nan")


def test_nan_and_infinity_are_none() -> None:
    given = {"a": [1, NAN, float("inf")], "b": ("x", True, None)}
    assert plain_values(given) == {"a": [1, None, None], "b": ["x", True, None]}


@pytest.mark.parametrize(
    ("points", "sign", "on_it"),
    [
        ([(1, 5), (2, 6), (3, 6), (4, 9)], 1, [True, True, False, True]),
        ([(1, 5), (2, 6), (3, 4)], -1, [True, False, True]),
        ([(1, 5), (1, 5)], 1, [True, True]),
        ([(1, 5), (1, 6)], 1, [False, True]),
        ([], 1, []),
    ],
)
def test_the_front_is_what_none_beats_for_less(
    points: list[tuple[float, float]], sign: int, on_it: list[bool]
) -> None:
    assert front(points, sign) == on_it


def test_intervals_are_drawn_in_order_with_their_zero() -> None:
    records = [
        {"name": "b", "value": 2.0, "low": 1.0, "high": 3.0, "verdict": "better"},
        {"name": "a", "value": -1.0, "low": NAN, "high": NAN, "verdict": "not tested"},
    ]
    made = intervals(records, "Title", "Caption.", "points", group="verdict", zero=True)
    text = json.dumps(made.spec, allow_nan=False)
    assert '"sort": ["b", "a"]' in text
    assert "config" not in made.spec
    drawn = vl_convert.vegalite_to_svg(dict(made.spec) | {"width": 400})
    assert drawn.index(">b<") < drawn.index(">a<")
    assert "better" in drawn


def test_labels_that_would_touch_are_left_out_but_for_those_that_go_first() -> None:
    points = [(1.0, 50.0), (1.0, 50.5), (1.0, 40.0), (100.0, 50.0), (10.0, 10.0)]
    assert apart(points, [False] * 5) == [False, True, True, True, True]
    assert apart(points, [True, False, False, False, False]) == [True, False, True, True, True]
