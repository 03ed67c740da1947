"""What a selection reads of the pool, and what making that cost."""

from collections.abc import Iterator
from typing import Any

from harness.params.params import Params, Selection
from harness.round_systems import ROUND_SYSTEMS
from harness.samplers import SAMPLERS
from harness.selecting.quality import terms

AUTO = "auto"


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
    needs = needs_of(item)
    if needs & {"embeddings", "clusters"}:
        parts.append(f"embedding {item.embedding}")
    if "clusters" in needs:
        parts.append(f"clusters (k: {item.k})")
    if "models" in needs:
        parts.append("models that it trains")
    return ", ".join(parts)


def needs_of(item: Selection) -> frozenset[str]:
    """What a selection's system reads, of ``harness.samplers.NEEDS`` and `models`."""
    sampler, given = item.sampler, item.sampler_params
    if sampler in ROUND_SYSTEMS:
        return ROUND_SYSTEMS[sampler](**given).needs
    return SAMPLERS[sampler].needs_with(given) if sampler in SAMPLERS else frozenset()


def shared_cost(params: Params, costs: dict[str, Any], name: str) -> dict[str, float]:
    """``shared_seconds`` and ``shared_flops`` of all that a selection needs; NaN if unknown.

    ``costs`` are those of `harness.describing.shared_costs`. With ``k: auto`` a selection needs
    every clustering that was tried; a reference needs nothing.
    """
    needed = list(_needed(params, costs, name))
    return {f"shared_{kind}": _total(needed, kind) for kind in ("seconds", "flops")}


def _needed(params: Params, costs: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    item = params.every_selection.get(name)
    if item is None:
        return
    needs, columns = needs_of(item), scores_read(params, name)
    if needs & {"embeddings", "clusters"}:
        yield costs["embeddings"][item.embedding]
    if "clusters" in needs:
        tried = costs["clusters"][item.embedding]
        yield from tried.values() if item.k == AUTO else [tried[str(item.k)]]
    scores = [costs["scores"][column] for column in columns]
    yield from scores
    responses = dict.fromkeys(score["responses"] for score in scores if score["responses"])
    yield from (costs["responses"][key] for key in responses)
    models = [score["model"] for score in scores]
    if item.sampler in ROUND_SYSTEMS:
        knobs = vars(ROUND_SYSTEMS[item.sampler](**item.sampler_params))
        models += [knobs["model"]] if knobs.get("scorer") == "reward_model" else []
    trained = costs["reward_models"]
    yield from (trained[name] for name in dict.fromkeys(models) if name in trained)


def _total(costs: list[dict[str, Any]], kind: str) -> float:
    values = [cost[kind] for cost in costs]
    return float("nan") if None in values else float(sum(values))
