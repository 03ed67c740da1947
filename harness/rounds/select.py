"""Subsets of feedback-driven selections: the loop runs once a seed."""

import logging
from pathlib import Path

import numpy as np

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import remove, replacing_folder, value_hash
from harness.common.stores import kept, locked, repo_root, scratch_folder, seal
from harness.models.loading import loading
from harness.models.reader import find_model, model_folder_hash
from harness.params.knobs import knob_problems
from harness.params.params import Params, RoundSelection
from harness.round_systems import ROUND_SYSTEMS
from harness.round_systems.loop import RoundSystem, run_rounds
from harness.rounds.journal import Recipe, ScratchJournal
from harness.rounds.results import publish, write_result
from harness.selecting.subsets import SamplerInputs, pool_of
from harness.training.weights import base_hash

log = logging.getLogger(__name__)


def write_round_subsets(
    params: Params, name: str, inputs: SamplerInputs, budget: int, code: str
) -> None:
    """Select once a seed; write subsets, their costs, and each round's observations.

    ``budget`` is in instances; ``code`` is the hash of the code that selects. Raises InputError for
    an invalid knob, a budget in tokens, or anything a round would lack.
    """
    item = params.selections_rounds[name]
    if params.budget_unit != "rows":
        raise InputError(
            f"budget_unit is {params.budget_unit}, but selections_rounds.{name} takes its budget "
            "in rows, round by round; say budget_unit: rows"
        )
    system = _system(name, item)
    for note in inputs.quality_notes:
        log.info("note: %s: %s", name, note)
    results = [
        (group, seed, _select(params, name, system, inputs, budget, code, seed))
        for group in params.groups_of(name)
        for seed in params.seeds_of(name, group)
    ]
    publish(params, name, results, inputs)
    for _, _, result in results:
        for rest in result.parent.iterdir():  # phases, whose outcome is in the result
            if rest.name[0].isdigit():
                remove(rest)


def _system(name: str, item: RoundSelection) -> RoundSystem:
    """The system with its knobs; InputError for an invalid one."""
    where = f"selections_rounds.{name}."
    made = ROUND_SYSTEMS[item.sampler]
    problems = knob_problems(
        where, item.sampler, made, item.sampler_params, type(item).model_fields
    )
    if problem := next(problems, None):
        raise InputError(f"{problem}; make check lists all")
    try:
        return made(**item.sampler_params)
    except InputError as error:
        raise InputError(f"{where}{error}") from None


def _check_means(params: Params, name: str, inputs: SamplerInputs) -> None:
    """Raise InputError now for what would otherwise fail after a training."""
    knobs = params.selections_rounds[name].sampler_params
    if knobs.get("scorer") == "judge":
        from harness.feedback.judge.client import Endpoint, read_key

        Endpoint(params.judge, read_key(params.judge))
    if dims := knobs.get("whiten"):
        width = inputs.embeddings.shape[1]
        if knobs.get("space") != "static":
            from transformers import AutoConfig

            with loading(layout.BASE_MODEL, "model"):
                config = AutoConfig.from_pretrained(layout.BASE_MODEL, trust_remote_code=False)
                width = config.get_text_config().hidden_size
        most = min(width, len(inputs.pool) - 1)
        if dims > most:
            of = f"{dims} dimensions of {len(inputs.pool)} instances in a space of {width}"
            raise InputError(f"selections_rounds.{name}.whiten: {of}; the most is {most}")


def _select(
    params: Params,
    name: str,
    system: RoundSystem,
    inputs: SamplerInputs,
    budget: int,
    code: str,
    seed: int,
) -> Path:
    """Run or resume the loop for a seed; the folder of its result."""
    key = _key(params, name, inputs, budget, code, seed)
    scratch = scratch_folder("rounds", key)
    result = scratch / "result"
    with locked(scratch):
        if kept(result) is not None:
            return result
        _check_means(params, name, inputs)
        recipe = Recipe(name, seed, params, repo_root() / ".store" / "judge.jsonl")
        journal = ScratchJournal(scratch, inputs.pool, recipe)
        pool = pool_of(inputs, system.sampler)
        try:
            rounds = run_rounds(system, pool, budget, seed, journal)
        except InputError as error:
            raise InputError(f"{name}, seed {seed}: {error}") from None
        with replacing_folder(result) as folder:
            write_result(folder, rounds, journal, inputs)
            seal(folder)
    return result


def _key(
    params: Params, name: str, inputs: SamplerInputs, budget: int, code: str, seed: int
) -> str:
    """The hash of all that decides a seed's selection; how phases are run does not."""
    item = params.selections_rounds[name]
    clusters = inputs.clustering
    made_from = [
        inputs.pool.hash(),
        _digest(inputs.embeddings),
        _digest(clusters.labels),
        None if inputs.quality is None else _digest(inputs.quality),
        base_hash(),
    ]
    if item.sampler_params.get("scorer") == "reward_model":
        model = item.sampler_params.get("model", "reward")
        made_from.append(model_folder_hash(find_model(model, item.sampler_params.get("revision"))))
    recipe = [
        item.model_dump(exclude={"seeds", "more_groups", "embedding", "budget"}),
        params.train.recipe,
        params.rounds.decisive,
        params.judge.identity() if item.sampler_params.get("scorer") == "judge" else None,
        params.template,
    ]
    return value_hash([made_from, recipe, budget, code, seed])


def _digest(array: np.ndarray) -> str:
    import hashlib

    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
