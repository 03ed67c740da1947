"""A table of scorers that cannot be is refused in one line before any of them runs."""

from pathlib import Path

import pytest

from harness.common.errors import InputError
from harness.params.params import ScorerParams
from harness.scorers.score_pool import make_scores
from tests.helpers.scored_rows import POOL


def scorer(name: str, **knobs: object) -> ScorerParams:
    return ScorerParams.model_validate({"scorer": name, **knobs})


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like the repository."""
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


BAD = {
    "scorer": (scorer("perplexty"), r"scorers\.x\.scorer: .* did you mean 'perplexity'"),
    "knob": (scorer("ifd", batchsize=3), r"scorers\.x\.batchsize: .* did you mean 'batch_size'"),
    "value": (scorer("ifd", batch_size=0), r"scorers\.x\.batch_size: .* greater than or equal"),
    "choice": (scorer("ifd", ratio="ppl"), r"scorers\.x\.ratio: .* not 'ppl'"),
    "needed": (scorer("column", file="s.csv"), r"scorers\.x\.column: column needs it; add"),
    "limit": (
        scorer("column", file="s.csv", column="s", file_mb=0),
        r"scorers\.x\.file_mb: input should be greater than or equal to 1, not 0",
    ),
    "length": (scorer("length", model="base"), r"scorers\.x\.model: length takes no such param"),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_bad_knobs_are_refused_before_any_scorer_runs(
    repo: Path, case: tuple[ScorerParams, str]
) -> None:
    with pytest.raises(InputError, match=case[1]):
        make_scores(POOL, {"p": scorer("perplexity"), "x": case[0]})
    assert not (repo / ".store").exists()


def test_a_scorer_called_id_would_replace_the_ids(repo: Path) -> None:
    with pytest.raises(InputError, match=r"scorers\.id: the column of ids is called so; give"):
        make_scores(POOL, {"id": scorer("length")})
