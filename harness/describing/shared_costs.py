"""What is made once and read by many selections, and what it cost: models, vectors, scores.

A cost is ``{tokens, flops, seconds}``: zeros for what was not made here, None where not known.
"""

from pathlib import Path
from typing import Any

from harness.common import flops, layout
from harness.common.errors import InputError
from harness.common.timings import read_timed, write_timed
from harness.embedding.files import CARD
from harness.params.params import MAIN, Params

Cost = dict[str, Any]
FREE: Cost = {"tokens": 0, "flops": 0.0, "seconds": 0.0}
REMEDY = "dvc repro cost_shared"
REWARD = "reward"  # what scorers call the model of the section `reward_model`


def write_shared_costs(params: Params) -> None:
    """Gather the costs from what the stages wrote; InputError names a file that is missing."""
    rows = {name: _card(name) for name in params.every_embedding}
    scores = read_timed(layout.SCORE_COSTS_FILE)
    scores = {name: cost for name, cost in scores.items() if name in params.scorers}
    costs = {
        "base_model": _trained(layout.BASE_MODEL / "base_model.json"),
        "reward_models": {
            name: _trained(layout.REWARD_MODELS / folder / "reward_model.json")
            for name, folder in [(REWARD, MAIN), *((one, one) for one in params.reward_models)]
        },
        "embeddings": {name: _embedded(card) for name, card in rows.items()},
        "clusters": {
            name: {str(k): _clustered(name, k, card) for k in params.cluster.k}
            for name, card in rows.items()
        },
        "scores": {name: _scored(cost) for name, cost in scores.items()},
        "responses": _responses(scores),
    }
    write_timed(layout.SHARED_COSTS_FILE, costs)


def read_shared_costs(params: Params) -> dict[str, Any]:
    """What `write_shared_costs` wrote; InputError where something that params name is not in it."""
    costs = read_timed(layout.SHARED_COSTS_FILE, REMEDY)
    wanted = {"embeddings": params.every_embedding, "scores": params.scorers}
    for kind, names in wanted.items():
        for name in names:
            if name not in costs[kind]:
                rule = f"nothing of {kind}.{name}; {REMEDY}"
                raise InputError(f"{layout.SHARED_COSTS_FILE}: {rule}")
    return costs


def _trained(path: Path) -> Cost:
    info = read_timed(path)
    if "tokens" not in info:
        return FREE
    spent = flops.training(info["tokens"], info["multiplied_parameters"])
    return {"tokens": info["tokens"], "flops": spent, "seconds": info["seconds"]}


def _card(name: str) -> dict[str, Any]:
    return read_timed(layout.EMBEDDINGS / name / CARD, f"dvc repro embed@{name}")


def _embedded(card: dict[str, Any]) -> Cost:
    if "reads" not in card:  # no model's; of the user's own vectors the FLOPs are not known
        spent = card.get("flops")
        return {"tokens": spent and 0, "flops": spent, "seconds": card["seconds"]}
    return _read(card["reads"]["tokens"], card)


def _clustered(name: str, k: int, card: dict[str, Any]) -> Cost:
    info = read_timed(layout.silhouette_file(name, k), f"dvc repro cluster@{name}-{k}")
    spent = flops.clustering(card["rows"], card["dimensions"], k, info["iterations"])
    return {"tokens": 0, "flops": spent, "seconds": info["seconds"]}


def _scored(cost: dict[str, Any]) -> Cost:
    """What a score itself cost; of the responses that it uses, their key in `_responses`."""
    made = _read(cost.get("tokens"), cost) if cost["rows"] else FREE
    shared = cost.get("responses", {}).get("first")
    card = {"scorer": cost["scorer"], "model": cost.get("model")}
    card |= {"rows": cost["rows"], "responses": shared}
    return {**card, **made, "seconds": cost["seconds"]}


def _responses(scores: dict[str, dict[str, Any]]) -> dict[str, Cost]:
    """The readings of responses that scores use, by the first score that uses each; and by all."""
    costs: dict[str, Cost] = {}
    for name, score in scores.items():
        if shared := score.get("responses"):
            size = {"multiplied_parameters": score["multiplied_parameters"]}
            new = {"scores": [], **_read(shared["tokens"], {**size, **shared})}
            costs.setdefault(shared["first"], new)["scores"].append(name)
    return costs


def _read(tokens: int | None, info: dict[str, Any]) -> Cost:
    spent = None if tokens is None else flops.reading(tokens, info["multiplied_parameters"])
    return {"tokens": tokens, "flops": spent, "seconds": info["seconds"]}
