"""What a selection reads of the pool, and what making the scores it reads took."""

from typing import Any

import numpy as np

from harness.common import layout
from harness.common.errors import InputError
from harness.common.timings import read_timed
from harness.params.params import Params
from harness.round_systems import ROUND_SYSTEMS
from harness.samplers import SAMPLERS
from harness.selecting.quality import terms

ScoreCosts = dict[str, dict[str, Any]]  # by column, as harness.scorers.score_pool writes them


def read_score_costs(params: Params) -> ScoreCosts:
    """What each column of the scores cost; InputError where one that params name is missing."""
    costs = read_timed(layout.SCORE_COSTS_FILE)
    for name in params.scorers:
        if name not in costs:
            raise InputError(f"{layout.SCORE_COSTS_FILE}: nothing of {name}; dvc repro score")
    return costs


def scores_read(params: Params, name: str) -> list[str]:
    """The columns of the scores in a selection's quality, each once."""
    quality = getattr(params.every_selection.get(name), "quality", None)
    return list(dict.fromkeys(column for _, column in terms(quality))) if quality else []


def reads(params: Params, name: str) -> str:
    """Everything a selection reads of the pool, in words; nothing for a reference."""
    item = params.every_selection.get(name)
    if item is None:
        return ""
    parts = scores_read(params, name)
    needs = _needs(item.sampler, item.sampler_params)
    if needs & {"embeddings", "clusters"}:
        parts.append(f"embedding {item.embedding}")
    if "clusters" in needs:
        parts.append(f"clusters (k: {item.k})")
    if "models" in needs:
        parts.append("models that it trains")
    return ", ".join(parts)


def _needs(sampler: str, given: dict[str, Any]) -> frozenset[str]:
    if sampler in ROUND_SYSTEMS:
        return ROUND_SYSTEMS[sampler](**given).needs
    return SAMPLERS[sampler].needs_with(given) if sampler in SAMPLERS else frozenset()


def scoring_seconds(costs: ScoreCosts, names: list[str]) -> float:
    """The total of these columns; NaN where one is not known."""
    seconds = [costs[name]["seconds"] for name in names]
    return float("nan") if None in seconds else float(np.sum(seconds))
