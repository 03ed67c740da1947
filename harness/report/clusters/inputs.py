"""Reading a study of clusterings: its rows, and the clustering that each selection reads."""

from dataclasses import dataclass

import numpy as np

from harness.common import layout
from harness.common.files import read_json
from harness.common.schemas import read_pool
from harness.describing.pool import AUTO, read_pool_scores, report_quality
from harness.describing.reads import needs_of
from harness.params.params import Params
from harness.report.shared.clusterings import clustering_line
from harness.report.shared.judging import families, judged
from harness.report.shared.runs import Row
from harness.report.shared.study_table import (
    Line,
    difference_fields,
    read_study,
    score_fields,
    suffixes,
)
from harness.selecting.quality import quality_vector
from harness.statistics.differences import NAN, RowTable
from harness.suites import Suite

FACTS = ("embedding", "k", "silhouette", "inertia", "poor")


@dataclass(frozen=True)
class ClusterStudy:
    """A study of clusterings: its rows, and a line each with its scores and its clustering.

    Attributes:
        lines: those of a row whose selection reads no clustering have no embedding and no k.
        quality: the expression by which clusters are poor; None where there is no scorer.
    """

    study: str
    params: Params
    suite: Suite
    rows: list[Row]
    lines: list[Line]
    judged: RowTable
    baselines: dict[str, str]  # the suffix of each one's columns
    quality: str | None

    @property
    def clustered(self) -> dict[str, list[Line]]:
        """The lines that have a clustering, by their embedding, each ascending by k.

        Rows of the same models, as that of the chosen k and that of the same k by number, once.
        """
        pairs = zip(self.rows, self.lines, strict=True)
        distinct = {row.runs: line for row, line in pairs if line["embedding"]}
        by_embedding: dict[str, list[Line]] = {}
        for line in sorted(distinct.values(), key=lambda line: line["k"]):
            by_embedding.setdefault(line["embedding"], []).append(line)
        return by_embedding


def read_cluster_study(params: Params, study: str) -> ClusterStudy:
    """Read a study; InputError names a file that is missing and the stage that makes it."""
    suite, rows = read_study(params, study)
    table = judged(params, suite, rows)
    gaps = families(params, study, table, rows)
    baselines = suffixes(gaps)
    expression = report_quality(params)[1]
    scores = read_pool_scores(read_pool().ids)
    quality = quality_vector(expression, scores) if expression else None
    lines: list[Line] = []
    for row in rows:
        line: Line = {"selection": row.name, "kind": _kind(params, row), "seeds": len(row.seeds)}
        line |= {"trial": True} if row.trial else {}
        line |= _clustering(params, row, quality) | score_fields(suite, row)
        for name, suffix in baselines.items():
            line |= difference_fields(gaps[name].get(row.name), table.sign, suffix)
        lines.append(line)
    return ClusterStudy(study, params, suite, rows, lines, table, baselines, expression)


def _kind(params: Params, row: Row) -> str:
    return "selection" if row.of in params.every_selection else "reference"


def _clustering(params: Params, row: Row, quality: np.ndarray | None) -> Line:
    """`FACTS` of the clustering that a row's selection reads; blanks where it reads none."""
    item = params.every_selection.get(row.of)
    blank: Line = {"embedding": "", **dict.fromkeys(FACTS[1:], NAN)}
    if item is None or "clusters" not in needs_of(item) or item.k == 1:
        return blank
    k = item.k
    if k == AUTO:
        k = int(read_json(layout.cluster_folder(item.embedding, AUTO) / "info.json")["k"])
    facts = clustering_line(item.embedding, k, quality)
    known = {name: NAN if facts[name] is None else facts[name] for name in FACTS[1:]}
    return {"embedding": item.embedding, **known}
