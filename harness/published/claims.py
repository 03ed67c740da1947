"""What the paper claims, and whether a study here bears it out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from harness.common.yaml_files import read_yaml
from harness.published.tables import HERE, SOURCE, read_table
from harness.statistics.differences import NAN, RowTable
from harness.statistics.ranks import RankCorrelation, rank_correlation

HOLDS, CONTRARY, OPEN = "holds here", "the contrary holds here", "not decided here"


@dataclass(frozen=True)
class Judged:
    """A claim: the published number, ours with its 95% interval, positive where it holds.

    ``published`` and ``value`` are differences of the headline, or rank correlations.
    """

    name: str
    says: str
    where: str
    pair: str
    published: float
    value: float
    low: float
    high: float
    correlation: bool = False

    @property
    def verdict(self) -> str:
        """By the interval alone, uncorrected: each claim is a question of its own."""
        return HOLDS if self.low > 0 else CONTRARY if self.high < 0 else OPEN


def judge_differences(study: str, table: RowTable) -> list[Judged]:
    """The claims of a study that are differences of two rows it has."""
    made = []
    for claim in _claims(study):
        for pair in claim["pairs"]:
            more, less = pair["more"], pair["less"]
            if not {more, less} <= table.rows.keys():
                continue
            gap = table.at(table.rows[less].budget).difference(more, less)
            low, high = sorted((table.sign * gap.low, table.sign * gap.high))
            published = _published(claim["table"], more) - _published(claim["table"], less)
            made.append(
                _judged(claim, f"{more} − {less}", published, table.sign * gap.value, low, high)
            )
    return made


def judge_correlation(study: str, found: RankCorrelation) -> list[Judged]:
    """The claims of a study that are rank correlations of silhouette and score."""
    made = []
    for claim in _claims(study):
        if not claim["pairs"]:
            frame = read_table(claim["table"]).frame
            theirs = rank_correlation(frame["silhouette"].tolist(), frame["avg"].tolist())
            named = "rank correlation"
            one = _judged(claim, named, theirs.value, found.value, found.low, found.high)
            made.append(replace(one, correlation=True))
    return made


def _judged(
    claim: Mapping[str, Any], pair: str, published: float, value: float, low: float, high: float
) -> Judged:
    where = f"{SOURCE}, {claim['where']}"
    return Judged(claim["name"], claim["says"], where, pair, published, value, low, high)


def _published(table: str, row: str) -> float:
    """The printed average of a row of ours; NaN where it has none."""
    entry = read_table(table, [row]).frame
    return float(entry["avg"].iloc[0]) if len(entry) else NAN


@cache
def _claims(study: str) -> list[Mapping[str, Any]]:
    return [one for one in read_yaml(HERE / "claims.yaml") if one["study"] == study]
