"""The benchmarks of training and of log-likelihoods at a small size: they run, and compare."""

from pathlib import Path

import pytest

from benchmarks import likelihoods, training

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("real_data")]


def test_training_beside_bare_trl(tiny_model: Path, capsys: pytest.CaptureFixture) -> None:
    small = ["--steps", "2", "--batch-size", "2", "--max-length", "512", "--repeats", "1"]
    assert training.main(["--model", str(tiny_model), *small, "--threads", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line[:16].strip(): line[16:].split() for line in lines[-len(training.HOWS) :]}
    assert set(rows) == set(training.HOWS)
    for *_, loss, bare in rows.values():  # the same training
        assert float(loss) == pytest.approx(float(bare), abs=1e-3)
        assert float(loss) > 1


def test_likelihoods_beside_lm_eval(tiny_model: Path, capsys: pytest.CaptureFixture) -> None:
    small = ["--items", "1", "--tokens-of", "2", "--threads", "1", "--only", "truthfulqa"]
    assert likelihoods.main(["--model", str(tiny_model), *small]) == 0
    *_, row, end = capsys.readouterr().out.splitlines()
    assert row.startswith("truthfulqa")
    assert end.startswith("largest difference of a log-likelihood: ")


def test_a_likelihood_that_differs_ends_with_1(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed = likelihoods._timed

    def shifted(run: object, requests: list[object]) -> tuple[float, list[tuple[float, bool]]]:
        seconds, answers = timed(run, requests)  # pyright: ignore
        moved = 1.0 if "PlainModel" in type(run.__self__).__name__ else 0.0  # pyright: ignore
        return seconds, [(value + moved, greedy) for value, greedy in answers]

    monkeypatch.setattr(likelihoods, "_timed", shifted)
    small = ["--items", "1", "--tokens-of", "2", "--threads", "1", "--only", "truthfulqa"]
    assert likelihoods.main(["--model", str(tiny_model), *small]) == 1
