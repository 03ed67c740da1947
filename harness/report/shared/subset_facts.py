"""What each subset is and what it cost: rows, scores, planted noise, seconds, tokens."""

import numpy as np

from harness.params.params import Params
from harness.report.shared.runs import Row, described

NAN = float("nan")


def subset_facts(params: Params, row: Row, planted: bool) -> dict[str, float]:
    """Means over seeds of what a row's subsets hold and cost; NaN where it does not apply."""
    lines = []
    for seed, one in described(row).items():
        manifest = row.manifests[seed]
        line = {"rows": float(len(one.picks))}
        line |= {name: one.measures.get(f"mean_{name}", NAN) for name in params.scorers}
        if planted:
            line["noise_share"] = one.measures.get("noise_share", NAN)
            line["skills_reached"] = one.measures.get("skills_reached", 0.0)
        line["select_seconds"] = one.cost["seconds"]
        if params.selections_rounds:
            line["select_tokens"] = one.cost["tokens"]
        line["train_seconds"] = float(manifest["seconds"])
        line["train_tokens"] = float(manifest["tokens"])
        lines.append(line)
    return {name: float(np.mean([line[name] for line in lines])) for name in lines[0]}
