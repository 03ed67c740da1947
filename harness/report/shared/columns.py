"""What is measured of a subset and what it cost: each column's label and format.

What each means is in meanings.md.jinja.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.common.schemas import FAULTS
from harness.report.shared.tables import BLANK, flops_text, mean_sd, number, percent

MEAN = "mean_"  # before a scorer's name
OWN = "own_"  # before what is measured on what the selection itself reads


@dataclass(frozen=True)
class Column:
    """A measure: its label, decimals (None: four digits), and whether it is of another kind.

    A share is shown in percent, FLOPs as 1.4e12.
    """

    label: str
    digits: int | None
    kind: Literal["number", "share", "flops"] = "number"

    @property
    def share(self) -> bool:
        """Whether it is shown in percent."""
        return self.kind == "share"

    def text(self, value: float) -> str:
        """A single value; a dash for NaN."""
        if self.kind == "flops":
            return flops_text(value)
        digits = self.digits or 0
        return percent(value, digits) if self.share else number(value, digits)


SIZE = {"rows": Column("rows", 0), "tokens": Column("tokens", 0)}
QUALITY = {
    "own_quality": Column("own quality", None),
    "top_overlap": Column("among the best", 1, "share"),
}
COVERAGE = {
    "facility_location": Column("facility location", 4),
    "covering_radius": Column("covering radius", 3),
    "vendi_score": Column("Vendi score", 1),
    "near_duplicates": Column("near-duplicates", 1, "share"),
}
CLUSTERS = {
    "cluster_entropy": Column("cluster entropy", 3),
    "clusters_reached": Column("clusters reached", 1, "share"),
    "own_cluster_entropy": Column("own entropy", 3),
    "own_clusters_reached": Column("own clusters reached", 1, "share"),
}
CLUSTERINGS = {
    "silhouette": Column("silhouette", 4),
    "inertia": Column("inertia", 1),
    "poor": Column("poor clusters", 1, "share"),
}
PLANTED = {
    "noise_share": Column("planted noise", 1, "share"),
    **{f"noise_{kind}": Column(kind.replace("_", " "), 1, "share") for kind in FAULTS},
    "skills_reached": Column("skills reached", 1, "share"),
}
# Costs shown only where a selection has any.
FEEDBACK = {"model_calls": Column("model calls", 0), "usd": Column("USD", 2)}
SHARED_COST = {
    "shared_seconds": Column("shared (s)", 1),
    "shared_flops": Column("shared (FLOPs)", None, "flops"),
}
COST = {
    "seconds": Column("selection (s)", 2),
    "flops": Column("selection (FLOPs)", None, "flops"),
    **SHARED_COST,
    "peak_memory_mb": Column("peak memory (MiB)", 0),
    **FEEDBACK,
}
ROUND_COST = {
    "tokens_trained": Column("tokens trained", 0),
    "tokens_prompted": Column("tokens of prompts", 0),
    "tokens_generated": Column("tokens generated", 0),
    "tokens_scored": Column("tokens scored", 0),
    "tokens_embedded": Column("tokens embedded", 0),
    "judge_answers": Column("judge answers", 0),
    "judge_left_out": Column("left out by the judge", 0),
}
TRAIN_COST = {
    "train_seconds": Column("training (s)", 2),
    "train_flops": Column("training (FLOPs)", None, "flops"),
}
RUN_COST = {
    "select_seconds": Column("selection (s)", 2),
    "select_flops": Column("selection (FLOPs)", None, "flops"),
    "select_tokens": Column("tokens for selection", 0),
    **SHARED_COST,
    **TRAIN_COST,
    "train_tokens": Column("tokens trained", 0),
}
MEASURES = {**SIZE, **QUALITY, **COVERAGE, **CLUSTERS, **PLANTED, **COST}  # of every subset
COLUMNS = {**MEASURES, **CLUSTERINGS, **ROUND_COST, **RUN_COST}


def column(name: str) -> Column:
    """A column by name; `mean_<scorer>` is the mean of a scorer's column."""
    return COLUMNS.get(name) or Column(f"mean {name.removeprefix(MEAN)}", None)


def value_text(name: str, values: Sequence[float]) -> str:
    """Mean ± standard deviation over seeds; no deviation for one seed or where all are equal.

    FLOPs are shown to two digits, without one.
    """
    shown = column(name)
    x = (100 if shown.share else 1) * np.array([v for v in values if v == v], dtype=np.float64)
    if not len(x):
        return BLANK
    if shown.kind == "flops":
        return shown.text(float(x.mean()))
    digits, largest = shown.digits, float(np.abs(x).max())
    if digits is None:
        digits = int(np.clip(3 - np.floor(np.log10(largest)), 0, 4)) if largest > 0 else 0
    sd = float(x.std(ddof=1)) if len(x) > 1 and np.ptp(x) > 0 else float("nan")
    return mean_sd(float(x.mean()), sd, digits) + ("%" if shown.share else "")
