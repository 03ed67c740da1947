"""Each measure of a subset: its name to a reader, how it is written, what it means, its source."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.common.schemas import FAULTS
from harness.describing.measures import NEAR_DUPLICATE
from harness.report.shared.text_tables import BLANK, number

MEAN = "mean_"  # before a scorer's name
OWN = "own_"  # before what is measured on what the selection itself reads


@dataclass(frozen=True)
class Column:
    """A measure: its label, decimals (None: four digits), whether a share, and what it means."""

    label: str
    digits: int | None
    share: bool = False
    meaning: str = ""


SIZE = {
    "rows": Column("rows", 0),
    "tokens": Column(
        "tokens", 0, meaning="of the whole conversations with their template, before any cut"
    ),
}
QUALITY = {
    "own_quality": Column(
        "own quality", None, meaning="mean of the quality that the selection reads"
    ),
    "top_overlap": Column(
        "among the best",
        1,
        True,
        (
            "share of the subset that a choice of as many rows by quality alone can take too, its "
            "ties falling to the subset"
        ),
    ),
}
COVERAGE = {
    "facility_location": Column(
        "facility location",
        4,
        meaning=(
            "mean over the pool of the best cosine similarity to the subset, negative ones as 0: "
            "1 if every instance is in it; higher covers the bulk of the pool better (the "
            "diversity of QDIT, Bukharin & Zhao 2023)"
        ),
    ),
    "covering_radius": Column(
        "covering radius",
        3,
        meaning=(
            "Euclidean distance of the instance farthest from the subset to the nearest of it: 0 "
            "if every instance is in it; lower leaves no instance far off (arXiv 2409.11378, eq. "
            "1, what k-center minimises)"
        ),
    ),
    "vendi_score": Column(
        "Vendi score",
        1,
        meaning=(
            "effective number of different rows within the subset, 1 if all are alike (Friedman & "
            "Dieng 2023, cosine similarity, order 1)"
        ),
    ),
    "near_duplicates": Column(
        "near-duplicates",
        1,
        True,
        (
            f"share of the subset whose cosine similarity to an earlier chosen row is above "
            f"{NEAR_DUPLICATE}"
        ),
    ),
}
CLUSTERS = {
    "cluster_entropy": Column(
        "cluster entropy",
        3,
        meaning="entropy in nats of the subset's spread over clusters, the same ones for every row",
    ),
    "clusters_reached": Column(
        "clusters reached", 1, True, "share of those clusters that the subset has an instance of"
    ),
    "own_cluster_entropy": Column(
        "own entropy", 3, meaning="entropy over the clusters that the selection itself reads"
    ),
    "own_clusters_reached": Column(
        "own clusters reached", 1, True, "share of those clusters that it has an instance of"
    ),
}
PLANTED = {
    "noise_share": Column(
        "planted noise", 1, True, "share of the subset with a planted fault, in all and by kind"
    ),
    **{f"noise_{kind}": Column(kind.replace("_", " "), 1, True) for kind in FAULTS},
    "skills_reached": Column(
        "skills reached", 1, True, "share of the planted sub-skills that the subset has a row of"
    ),
}
# Columns of the costs that stand only where a selection has any.
FEEDBACK = {
    "model_calls": Column(
        "model calls",
        0,
        meaning="conversations that a model answered, scored or embedded while it was chosen",
    ),
    "usd": Column("USD", 2, meaning="of an LLM judge, by the prices in params.yaml"),
}
COST = {
    "seconds": Column(
        "seconds",
        2,
        meaning=(
            "to choose, on one thread, once what it reads and runs on is loaded; of a selection in "
            "rounds with all that its models take"
        ),
    ),
    "peak_memory_mb": Column(
        "peak memory (MiB)", 0, meaning="of the process that chose, in all of its seeds so far"
    ),
    "scoring_seconds": Column(
        "scoring (s)",
        1,
        meaning=(
            "what the scores that it reads took when they were made, once for all selections; "
            f"{BLANK} where a run was killed in between and the whole is not known"
        ),
    ),
    **FEEDBACK,
}
COLUMNS = {**SIZE, **QUALITY, **COVERAGE, **CLUSTERS, **PLANTED, **COST}


def column(name: str) -> Column:
    """How a measure is written; `mean_<scorer>` is the mean of a scorer's column."""
    if name in COLUMNS:
        return COLUMNS[name]
    return Column(f"mean {name.removeprefix(MEAN)}", None)


def value_text(name: str, values: Sequence[float]) -> str:
    """Mean ± standard deviation over seeds; no deviation for one seed or where all are equal."""
    found = column(name)
    scale, unit = (100, "%") if found.share else (1, "")
    x = scale * np.array([value for value in values if value == value], dtype=np.float64)
    if not len(x):
        return BLANK
    digits = _digits(found, float(np.abs(x).max()))
    text = number(float(x.mean()), digits)
    if len(x) > 1 and np.ptp(x) > 0:
        text += f" ± {number(float(x.std(ddof=1)), digits)}"
    return text + unit


def _digits(found: Column, largest: float) -> int:
    if found.digits is not None:
        return found.digits
    return int(np.clip(3 - np.floor(np.log10(largest)), 0, 4)) if largest > 0 else 0


def meanings(names: Iterable[str]) -> list[str]:
    """A line of Markdown for each measure that has something to explain."""
    found = [(column(name).label, column(name).meaning) for name in names if name in COLUMNS]
    return [f"- {label}: {meaning}." for label, meaning in found if meaning]
