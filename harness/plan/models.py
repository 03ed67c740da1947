"""The models that a preset names, and their sizes."""

from dataclasses import dataclass, replace
from typing import Any

from harness.params.knobs import all_knobs
from harness.params.params import STATES, Params, ScorerParams
from harness.params.reward_model import RewardParams
from harness.plan.sizes import Model, Pool, base_model, encoder, find_model
from harness.round_systems import ROUND_SYSTEMS
from harness.scorers import SCORERS

REWARD, BASE = "reward", "base"


@dataclass(frozen=True)
class Sizes:
    """The models and the pool of a preset, and how much of a row is trained on."""

    pool: Pool
    base: Model
    bases: dict[str, Model]  # by their names in params
    rewards: dict[str, Model]  # those made here, by the names that scorers use
    encoders: dict[str, Model | None]  # by embedding; None: no model reads for it
    scorers: dict[str, Model]  # that a scorer or a system in rounds names itself, by its name

    @property
    def models(self) -> list[Model]:
        """Each model once."""
        others = [*self.bases.values(), *self.rewards.values(), *self.encoders.values()]
        models = (self.base, *others, *self.scorers.values())
        return list(dict.fromkeys(model for model in models if model is not None))


def read_sizes(params: Params, pool: Pool) -> Sizes:
    """The sizes of the models that params name; InputError for one that is not known."""
    base = base_model(params.base_model)
    return Sizes(
        pool,
        base,
        {name: base_model(one) for name, one in params.base_models.items()},
        _rewards(params, base),
        {
            name: base
            if one.model == STATES
            else encoder(one.model, one.revision, f"embeddings.{name}.model")
            for name, one in params.every_embedding.items()
        },
        {**_scorers(params), **_round_scorers(params)},
    )


def reward_params(params: Params) -> dict[str, RewardParams]:
    """The sections of the reward models, by the names that scorers use."""
    return {REWARD: params.reward_model, **params.reward_models}


def _rewards(params: Params, base: Model) -> dict[str, Model]:
    """The reward models that there will be; without pairs to learn from none is trained."""
    models: dict[str, Model] = {}
    for name, item in reward_params(params).items():
        if item.source != BASE:
            where = "reward_model" if name == REWARD else f"reward_models.{name}"
            models[name] = find_model(item.source, item.revision, f"{where}.source")
        elif preference_pairs(params):
            models[name] = replace(base, name=name)
            if base.shape is not None:  # with a head of one output
                shape = base.shape.model_copy(update={"classifier": True})
                size = {"parameters": shape.parameters, "multiplied": shape.multiplied}
                models[name] = replace(models[name], shape=shape, **size)
    return models


def _scorers(params: Params) -> dict[str, Model]:
    """The models that scorers name themselves."""
    models: dict[str, Model] = {}
    for name, item in params.scorers.items():
        model = (knobs := scorer_knobs(item)).get("model")
        if model is not None and model not in (BASE, *reward_params(params)):
            models[name] = find_model(model, knobs["revision"], f"scorers.{name}.model")
    return models


def scorer_knobs(item: ScorerParams) -> dict[str, Any]:
    """What a scorer is called with, defaults included."""
    return all_knobs(SCORERS[item.scorer], item.scorer_params)


def _round_scorers(params: Params) -> dict[str, Model]:
    """The reward models that systems in rounds name themselves."""
    models: dict[str, Model] = {}
    for name, item in params.selections_rounds.items():
        knobs = vars(ROUND_SYSTEMS[item.sampler](**item.sampler_params))
        if knobs.get("scorer") == "reward_model" and knobs["model"] not in reward_params(params):
            where = f"selections_rounds.{name}.model"
            models[name] = find_model(knobs["model"], knobs["revision"], where)
    return models


def preference_pairs(params: Params) -> int:
    """On how many pairs a reward model is trained here: they are made of the pretraining rows."""
    if params.prepare.source == "lab":
        return params.lab.preferences
    return params.prepare.preference_pairs if params.prepare.pretraining else 0
