"""What the paper claims, and whether a study here bears it out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from harness.common.yaml_files import read_yaml
from harness.published.tables import HERE, SOURCE, read_table
from harness.statistics.differences import ALPHA, NAN, RowTable, corrected
from harness.statistics.ranks import RankCorrelation, rank_correlation

HOLDS, CONTRARY, OPEN = "holds here", "the contrary holds here", "open here"


@dataclass(frozen=True)
class Claim:
    """A claim: the published number, ours with its 95% interval, positive where it holds.

    ``published`` and ``value`` are differences of the headline, or rank correlations. ``p`` is
    that of the study's own table where the pair is tested there, else corrected (Holm) for the
    other claims of the study.
    """

    name: str
    says: str
    where: str
    pair: str
    published: float
    value: float
    low: float
    high: float
    p: float
    correlation: bool = False

    @property
    def verdict(self) -> str:
        """By the corrected p: the claim or its contrary where it is under 0.05."""
        if not self.p < ALPHA:
            return OPEN
        return HOLDS if self.value > 0 else CONTRARY


def judge_differences(
    study: str, table: RowTable, tested: Mapping[frozenset[str], float]
) -> list[Claim]:
    """The claims of a study that are differences of two rows it has.

    ``tested`` has the corrected p of each pair that the study's own table tests.
    """
    asked = [
        (claim, pair["more"], pair["less"])
        for claim in _claims(study)
        for pair in claim["pairs"]
        if {pair["more"], pair["less"]} <= table.rows.keys()
    ]
    gaps = {
        frozenset((more, less)): table.at(table.rows[less].budget).difference(more, less)
        for _, more, less in asked
    }
    further = corrected({pair: gap for pair, gap in gaps.items() if pair not in tested})
    made = []
    for claim, more, less in asked:
        pair = frozenset((more, less))
        gap, p = gaps[pair], tested[pair] if pair in tested else further[pair].holm
        low, high = sorted((table.sign * gap.low, table.sign * gap.high))
        published = _published(claim["table"], more) - _published(claim["table"], less)
        ours = (table.sign * gap.value, low, high, p)
        made.append(_judged(claim, f"{more} − {less}", published, *ours))
    return made


def judge_correlation(study: str, measured: RankCorrelation) -> list[Claim]:
    """The claims of a study that are rank correlations of silhouette and score."""
    made = []
    for claim in _claims(study):
        if not claim["pairs"]:
            frame = read_table(claim["table"]).frame
            theirs = rank_correlation(frame["silhouette"].tolist(), frame["avg"].tolist()).value
            ours = (measured.value, measured.low, measured.high, measured.p)
            one = _judged(claim, "rank correlation", theirs, *ours)
            made.append(replace(one, correlation=True))
    return made


def _judged(
    claim: Mapping[str, Any],
    pair: str,
    published: float,
    value: float,
    low: float,
    high: float,
    p: float,
) -> Claim:
    where = f"{SOURCE}, {claim['where']}, {read_table(claim['table']).title.lower()}"
    return Claim(claim["name"], claim["says"], where, pair, published, value, low, high, p)


def _published(table: str, row: str) -> float:
    """The printed average of a row of ours; NaN where it has none."""
    entry = read_table(table, [row]).frame
    return float(entry["avg"].iloc[0]) if len(entry) else NAN


@cache
def _claims(study: str) -> list[Mapping[str, Any]]:
    return [one for one in read_yaml(HERE / "claims.yaml") if study in one["studies"]]
