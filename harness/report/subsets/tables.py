"""The tables of the report of subsets: measures, costs, scorers, clusterings."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common.schemas import FAULTS
from harness.describing.measures import FAMILY, family_mix
from harness.report.shared.clusterings import FIELDS, POOR
from harness.report.shared.columns import column, value_text
from harness.report.shared.tables import (
    BLANK,
    TextTable,
    flops_text,
    mean_sd,
    number,
    percent,
    with_interval,
)
from harness.report.subsets.scorer_agreement import ALL

if TYPE_CHECKING:
    import pandas as pd


def subset_table(frame: "pd.DataFrame", names: Iterable[str], reads: bool = False) -> TextTable:
    """One row a selection: means ± deviations over its seeds, and what it read if asked for."""
    known = [name for name in names if name in frame]
    rows = []
    for selection, mine in frame.groupby("selection", sort=False):
        cells = [str(selection), str(len(mine))]
        cells += [mine["reads"].iloc[0] or BLANK] if reads else []
        rows.append(cells + [value_text(name, mine[name].tolist()) for name in known])
    heads = ["selection", "seeds", *(["reads"] if reads else [])]
    return TextTable([*heads, *(column(name).label for name in known)], rows)


def family_table(frame: "pd.DataFrame", families: np.ndarray) -> TextTable:
    """The mix of families of the pool, (n,) of names, then of each selection: mean ± deviation."""
    pool = family_mix(families)
    rows = [["the pool", BLANK, *map(percent, pool.values())]]
    for selection, mine in frame.groupby("selection", sort=False):
        shares = [100 * mine[f"{FAMILY}{name}"].to_numpy() for name in pool]
        varied = [x.std(ddof=1) if len(x) > 1 and np.ptp(x) > 0 else np.nan for x in shares]
        cells = [mean_sd(x.mean(), sd, 1) + "%" for x, sd in zip(shares, varied, strict=True)]
        rows.append([str(selection), str(len(mine)), *cells])
    return TextTable(["selection", "seeds", *pool], rows)


def shared_cost_table(costs: dict[str, Any]) -> TextTable:
    """One row a thing that is made once: the tokens a model read for it, FLOPs and seconds.

    ``costs`` are those of `harness.describing.shared_costs`; the base model stands first.
    """
    named = [("base model", costs["base_model"])]
    for name, cost in costs["reward_models"].items():
        named.append(("reward model" if name == "reward" else f"reward model {name}", cost))
    named += [(f"embedding {name}", cost) for name, cost in costs["embeddings"].items()]
    named += [
        (f"clusters of {name}, k = {k}", cost)
        for name, tried in costs["clusters"].items()
        for k, cost in tried.items()
    ]
    named += [(f"score {name} ({c['scorer']})", c) for name, c in costs["scores"].items()]
    named += [(f"responses for {', '.join(c['scores'])}", c) for c in costs["responses"].values()]
    rows = [
        [name, number(c["tokens"], 0), flops_text(c["flops"]), number(c["seconds"], 1)]
        for name, c in named
    ]
    return TextTable(["made once", "tokens", "FLOPs", "seconds"], rows)


def scorer_table(scorers: "pd.DataFrame", measure: str) -> TextTable:
    """One row a scorer, one column a kind of fault with its number of rows."""
    kinds = [kind for kind in (ALL, *FAULTS) if kind in set(scorers["noise"])]
    rows, faulty = [], {}
    for name, mine in scorers.groupby("scorer", sort=False):
        lines = {line["noise"]: line for line in mine.to_dict("records")}
        faulty = faulty or {kind: lines[kind]["faulty"] for kind in kinds}
        cells = [str(name)]
        for kind in kinds:
            value, low, high = (lines[kind][f"{measure}{end}"] for end in ("", "_low", "_high"))
            cells.append(with_interval(value, low, high, 2, sign=measure == "spearman"))
        rows.append(cells)
    heads = ["scorer" if measure == "spearman" else "scorer (AUC)"]
    for kind in kinds:
        label = "all faults" if kind == ALL else kind.replace("_", " ")
        heads.append(f"{label} ({faulty[kind]:,})")
    return TextTable(heads, rows)


def clustering_table(frame: "pd.DataFrame") -> TextTable:
    """The facts of `clustering_facts` as text; the best silhouette in bold."""
    digits = {"silhouette": 4, "inertia": 1}
    rows = [
        [
            str(line["k"]),
            *(number(line[name], digits.get(name, 0)) for name in FIELDS[1:]),
            percent(line["poor"]),
        ]
        for line in frame.to_dict("records")
    ]
    best = np.flatnonzero(frame["best"])
    bold = (int(best[0]), 1) if len(best) else None
    return TextTable([*FIELDS, f"mean quality < {POOR}"], rows, bold)
