"""Checks the models that params.yaml names: a misspelt word would be looked for on the hub."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from harness.common.errors import similar
from harness.embedding.embed import LEXICAL
from harness.models.packaged import PACKAGED
from harness.params.params import STATES, Params
from harness.params.reward_model import RewardParams


class _Named(NamedTuple):
    """A model that a key names, and the words that are neither a folder nor an id of the hub."""

    key: str
    model: str
    revision: object
    words: Collection[str]

    @property
    def revision_key(self) -> str:
        return f"{self.key.rpartition('.')[0]}.revision"


def model_problems(params: Params) -> Iterator[str]:
    """Misspelt words, commits of what has none, more preference pairs than are generated."""
    for one in _models(params):
        bare = one.model not in one.words and "/" not in one.model
        near = similar(one.model.lower(), one.words) if bare else None
        if near and not Path(one.model).exists():
            rule = f"{one.model!r} is no folder, and ids of the hub have an owner (owner/name)"
            yield f"{one.key}: {rule}; did you mean {near!r}?"
        if one.revision is not None and one.model in one.words:
            yield f"{one.revision_key}: {one.model} is not of the hub and has none; remove it"
    yield from _pairs(params)


def _models(params: Params) -> Iterator[_Named]:
    bases = {"base_model": params.base_model}
    bases |= {f"base_models.{name}": item for name, item in params.base_models.items()}
    for key, item in bases.items():
        yield _Named(f"{key}.source", item.source, item.revision, ("scratch", *PACKAGED))
    for key, item in _rewards(params).items():
        yield _Named(f"{key}.source", item.source, item.revision, ("base",))
    for key, item in params.embeddings.items():
        words = ("minilm", LEXICAL, STATES)
        yield _Named(f"embeddings.{key}.model", item.model, item.revision, words)
    read = {f"scorers.{key}": item.scorer_params for key, item in params.scorers.items()}
    rounds = params.selections_rounds.items()
    read |= {f"selections_rounds.{key}": item.sampler_params for key, item in rounds}
    for key, knobs in read.items():
        if isinstance(model := knobs.get("model"), str):
            words = ("base", "reward", *params.reward_models)
            yield _Named(f"{key}.model", model, knobs.get("revision"), words)


def _rewards(params: Params) -> dict[str, RewardParams]:
    further = {f"reward_models.{name}": item for name, item in params.reward_models.items()}
    return {"reward_model": params.reward_model} | further


def _pairs(params: Params) -> Iterator[str]:
    """Of the lab's pairs; how many another source has is known once it is read."""
    made = params.lab.preferences
    for key, item in _rewards(params).items():
        if params.prepare.source == "lab" and item.source == "base" and (item.pairs or 0) >= made:
            rule = f"lab.preferences makes {made:,}, of which a tenth is held out"
            yield f"{key}.pairs: {item.pairs:,}, and {rule}; lower it, or null for all"
