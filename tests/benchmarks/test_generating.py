"""The benchmark of completions at a small size: it runs, and sees a completion that differs."""

import pytest

from benchmarks import generating

SMALL = ["--prompts", "5", "--new", "4", "--batch-size", "3", "--rounds", "1"]


def test_completions_are_those_of_prompts_alone(capsys: pytest.CaptureFixture) -> None:
    assert generating.main([*SMALL, "--goal", "0"]) == 0
    assert "the same completion as alone: 5 of 5" in capsys.readouterr().out


def test_another_completion_or_a_goal_missed_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    assert generating.main([*SMALL, "--goal", "1e9"]) == 1
    monkeypatch.setattr(generating, "_generate", lambda *given: ["w2"] * len(given[2]))
    assert generating.main([*SMALL, "--goal", "0"]) == 1
