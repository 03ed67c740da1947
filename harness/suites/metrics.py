"""`metrics.json`, the scores of a cell: typed, and checked when it is read.

A column that was not run has the reason and the remedy in place of its score:

    {"suite": "lab", "seeds": {"0": {"scores": {"science": 42.5, "code": {"not_run": "..."}}, ...}}}
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.common.errors import InputError
from harness.common.timings import read_timed

_CHECKED = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)


class NotRun(BaseModel):
    """In place of a score: why the column was not run, and the remedy."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    not_run: str = Field(min_length=1)


class JudgingCost(BaseModel):
    """What judging a column's answers took, each answer of the judge paid for once.

    Not what a resumed run sent: the numbers are the same however often it was resumed.
    """

    model_config = _CHECKED

    model: str  # the judge
    asked: int  # judgments: two a question
    unparsed: list[int] = Field(
        min_length=2, max_length=2
    )  # by order: model first, reference first
    refused: int  # of them, by the endpoint (HTTP 400, 413 or 422)
    answers: int  # calls that were answered: a judgment without scores is asked for again
    tokens_in: int
    tokens_out: int
    unmetered: int  # answers without usage, counted as upper bounds
    usd: float | None = None  # None where prices are unknown


class SeedMetrics(BaseModel):
    """One run's scores by column, and the other figures of its `Evaluation`."""

    model_config = _CHECKED

    scores: dict[str, float | NotRun]
    n: dict[str, int]
    seconds: dict[str, float] = {}
    shots: dict[str, int] = {}
    truncated: dict[str, int] = {}
    judged: dict[str, JudgingCost] = {}
    unisolated: str | None = None  # why the sandbox was missing when programs ran without it

    @property
    def measured(self) -> dict[str, float]:
        """The scores of the columns that were run."""
        return {name: s for name, s in self.scores.items() if not isinstance(s, NotRun)}

    @property
    def not_run(self) -> dict[str, str]:
        """The reason for each column that was not run."""
        return {name: s.not_run for name, s in self.scores.items() if isinstance(s, NotRun)}


class CellMetrics(BaseModel):
    """The whole file: the suite's name and the metrics of each seed."""

    model_config = _CHECKED

    suite: str
    seeds: dict[str, SeedMetrics]


def read_metrics(path: Path) -> CellMetrics:
    """Read a cell's `metrics.json`; InputError names the file and the first rule it breaks."""
    try:
        return CellMetrics.model_validate(read_timed(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {where}: {first['msg']}; run its stage again") from None
