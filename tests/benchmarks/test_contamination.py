"""The measurement of which planted questions are found, in small."""

import pytest

from benchmarks.contamination import (
    BENCHMARKS,
    BY_HAND,
    last_first,
    main,
    renumbered,
    reworded,
    within,
)
from harness.common.errors import InputError
from harness.common.stores import shared_data


def test_dresses_change_a_question_and_keep_what_it_asks() -> None:
    question = "Ann buys 3 eggs. How many eggs are left?"
    assert within(question).startswith("Hi there!")
    assert "ann buys 3 eggs how many eggs are left" in within(question)
    assert reworded(question) == "Ann purchases 3 eggs. What number of eggs are left?"
    assert last_first(question) == "How many eggs are left? Ann buys 3 eggs."
    assert renumbered(question) == "Ann buys 6 eggs. How many eggs are left?"


def test_a_line_for_each_benchmark_and_disguise(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        shared_data()
    except InputError:
        pytest.skip("the published files are not here")
    main(["--items", "4", "--rows", "10"])
    lines = capsys.readouterr().out.splitlines()
    names = [line.partition(":")[0] for line in lines if not line.startswith(" ")]
    assert names[1:] == [*BENCHMARKS]
    assert sum("within" in line for line in lines) == len(BENCHMARKS)
    assert f"by hand       {len(BY_HAND)} planted" in lines[-1]
