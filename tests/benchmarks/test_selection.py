"""The benchmarks at a small size: every case runs, and agrees with the peers that are installed."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks import agreement, cases, peers, selection
from benchmarks.cases import CASES, Sizes

SMALL = ["--rows", "600", "--picks", "40", "--clusters", "8", "--pairs", "200", "--pair-picks", "9"]


# vendi-score reads a name that SciPy is about to drop.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_case_agrees_with_its_peers(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    page = tmp_path / "results.md"
    assert selection.main([*SMALL, "--out", str(page)]) == 0
    lines = [line.split("|")[1:-1] for line in page.read_text().splitlines() if "|" in line]
    table = [[cell.strip() for cell in line] for line in lines]
    assert {len(line) for line in table} == {10}
    samplers = {line[0] for line in table} & set(CASES)
    assert samplers == {"k_center", "qdit", "deita", "kmq", "km_closest", "km_random", "top_k"}
    agreement_of = {(line[0], line[4]): line[7] for line in table}
    assert agreement_of["k_center", "NumPy, greedy loop"] == "the same picks"
    assert agreement_of["deita", "NumPy, row by row"] == "100.0% the same picks"
    assert agreement_of["silhouette (cosine)", "scikit-learn"].startswith("apart by")
    # Goals are those of the full size.
    assert {line[8] for line in table[2:]} == {"–"}
    assert "written to" in capsys.readouterr().out


def test_a_result_that_is_not_the_peers_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    right = peers.naive_deita
    monkeypatch.setattr(peers, "naive_deita", lambda *args: right(*args)[::-1])
    assert selection.main(["deita", *SMALL]) == 1
    assert "0.0% the same picks" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["kmeanz"], "no benchmark 'kmeanz'; choose from k_center"),
        (["--picks", "30000"], "--picks is 30000; it must be 1 to 25000, half of --rows"),
        (["--clusters", "0"], "--clusters is 0; it must be 1 to 25000"),
        (["--width", "1"], "--width is 1; it must be at least 2"),
    ],
)
def test_arguments_that_cannot_be(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit, match="2"):
        selection.main(arguments)
    assert message in capsys.readouterr().err


def test_inertia_may_be_so_much_above() -> None:
    x = np.array([[0.0], [1.0], [10.0], [11.0], [5.2]])
    best, other = np.array([0, 0, 1, 1, 0]), np.array([0, 0, 1, 1, 1])
    text, agrees = agreement.same_inertia(x, 0.05, other, best)
    assert (text, agrees) == ("inertia +25.43%", False)
    assert agreement.same_inertia(x, 0.3, other, best)[1]
    assert agreement.same_inertia(x, 0.01, best, other)[1]


@pytest.mark.parametrize(("sizes", "most"), [(Sizes(), 0.01), (Sizes(rows=90, clusters=4), 0.05)])
def test_few_rows_may_differ_by_more(
    monkeypatch: pytest.MonkeyPatch, sizes: Sizes, most: float
) -> None:
    empty = {"any": lambda rows, width, seed: np.zeros((1, 1), dtype=np.float32)}
    monkeypatch.setattr(cases, "POOLS", empty)
    [case] = CASES["kmeans"](sizes)
    for peer in case.peers:
        assert isinstance(peer.agree, partial)
        assert peer.agree.args[1] == most
