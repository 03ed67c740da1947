"""What the page of scores says of columns that a judge scored."""

from pathlib import Path
from typing import Any

import pytest

from harness.common.timings import read_timed, write_timed
from harness.report.scores.write import write_scores
from harness.suites import SUITES
from tests.helpers.build_runs import build_runs, cells
from tests.helpers.judged_suite import write_judged


def judge(name: str, column: str, unparsed: list[list[int]], usd: float | None) -> None:
    """Say in the metrics of a row what judging each seed's column took."""
    places = iter(unparsed)
    for cell in cells("main", name):
        metrics = read_timed(cell / "metrics.json")
        for seed in metrics["seeds"].values():
            took: dict[str, Any] = {"model": "gpt-4", "asked": 80, "unparsed": next(places)}
            took |= {"refused": 0, "answers": 81, "tokens_in": 9000, "tokens_out": 500}
            seed.setdefault("judged", {})[column] = took | {"unmetered": 0, "usd": usd}
        write_timed(cell / "metrics.json", metrics)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "files").mkdir()
    monkeypatch.setitem(SUITES, "judged", write_judged(tmp_path / "files").folder)
    return tmp_path


def test_judgments_left_out_and_what_judging_took(folder: Path) -> None:
    unparsed = {"random": [[1, 0], [2, 3]], "k_center": [[0, 0]] * 2, "km_random": [[1, 1], [0, 1]]}
    study: dict[str, Any] = {"table": list(unparsed), "seed_groups": ["s0_1"]}
    params = build_runs(
        folder, **study, further={}, studies={}, evaluate={"suite": "judged"}, references={}
    )
    for name, counts in unparsed.items():
        judge(name, "why", counts, usd=0.5)
        judge(name, "how", [[0, 0]] * 2, usd=None)
    written = write_scores(params, "main") / "table.md"
    text = " ".join(written.read_text(encoding="utf-8").split())
    left_out = (
        "Judgments of Why without scores, which its relative score leaves out, the most of any"
    )
    assert f"{left_out} seed: 5 of 80 of random, 2 of 80 of km_random." in text
    assert "Judgments of How" not in text
    assert "- Why: relative score, 100 x the sum of a judge's scores of the model's answers" in text
    assert text.count("40 questions, each judged in both orders") == 2
    assert "486 answers of gpt-4, 57,000 tokens, 3.00 USD in all runs." in text  # of six runs
    assert "486 answers of gpt-4, 57,000 tokens in all runs." in text, "a price that is not known"
