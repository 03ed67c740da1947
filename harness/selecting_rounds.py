"""Subsets of feedback-driven selections: the loop run once a seed, and what it left for reports."""

import inspect
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import layout
from harness.cell_training import base_hash
from harness.errors import InputError
from harness.files import read_json, remove, replacing_folder, value_hash, write_json
from harness.memory import peak_memory_mb
from harness.params import Params, RoundSelection
from harness.round_journal import Recipe, ScratchJournal
from harness.round_systems import ROUND_SYSTEMS
from harness.rounds import Round, RoundSystem, run_rounds
from harness.schemas import ROUND_CLUSTERS, ROUND_INSTANCES, SUBSET, write_frame
from harness.scorers.loading import find_model, model_hash
from harness.selecting import Inputs, pool_of
from harness.stores import locked, repo_root, scratch_folder

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


def write_round_subsets(params: Params, name: str, inputs: Inputs, budget: int, code: str) -> None:
    """Select once a seed, and write subsets, their costs, and what each round saw.

    Args:
        params: the pipeline's.
        name: the selection.
        inputs: what it may look at.
        budget: in instances.
        code: the hash of the code that selects; other code selects again.
    """
    item = params.selections_rounds[name]
    system = _system(item)
    found: dict[str, Any] = {}
    results: list[tuple[str, int, Path]] = []
    for group in params.groups_of(name):
        for seed in params.seeds_of(name, group):
            result = _select(params, name, system, inputs, budget, code, seed)
            found[str(seed)] = read_json(result / "cost.json")
            results.append((group, seed, result))
    _publish(name, results)
    info = {"selection": name, "sampler": item.sampler, "params": item.sampler_params}
    write_json(layout.selection_file("main", name), {**info, "seeds": found})
    for _, _, result in results:
        for rest in result.parent.iterdir():  # phases; what they led to is in the result
            if rest.name[0].isdigit():
                remove(rest)


def _system(item: RoundSelection) -> RoundSystem:
    known = inspect.signature(ROUND_SYSTEMS[item.sampler]).parameters
    for key in item.sampler_params:
        if key not in known:
            raise InputError(
                f"{item.sampler} takes no param {key!r}; make check says which it does"
            )
    return ROUND_SYSTEMS[item.sampler](**item.sampler_params)


def _publish(name: str, results: list[tuple[str, int, Path]]) -> None:
    """Copy the results to where later stages read them."""
    import shutil

    subsets, rounds = layout.subset_folder("main", name), layout.rounds_folder("main", name)
    with replacing_folder(subsets) as to_subsets, replacing_folder(rounds) as to_rounds:
        for group, seed, result in results:
            (to_subsets / group).mkdir(exist_ok=True)
            shutil.copyfile(result / "subset.parquet", to_subsets / group / f"seed_{seed}.parquet")
            seen = to_rounds / group / f"seed_{seed}"
            seen.mkdir(parents=True)
            for path in (*result.glob("rounds.json"), *result.glob("*s.parquet")):
                shutil.copyfile(path, seen / path.name)


def _select(
    params: Params,
    name: str,
    system: RoundSystem,
    inputs: Inputs,
    budget: int,
    code: str,
    seed: int,
) -> Path:
    """Run the loop for a seed, or go on with it; the folder of its result."""
    key = _key(params, name, inputs, budget, code, seed)
    scratch = scratch_folder("rounds", key)
    result = scratch / "result"
    with locked(scratch):
        if result.is_dir():
            return result
        recipe = Recipe(
            name=name,
            seed=seed,
            train=params.train,
            rounds=params.rounds,
            judge=params.judge,
            template=params.template,
            judge_cache=repo_root() / ".store" / "judge.jsonl",
        )
        journal = ScratchJournal(scratch, inputs.pool, recipe)
        pool = pool_of(inputs, system.sampler)
        rounds = run_rounds(system, pool, budget, seed, journal)
        with replacing_folder(result) as folder:
            _write_result(folder, rounds, journal, inputs)
    return result


def _key(params: Params, name: str, inputs: Inputs, budget: int, code: str, seed: int) -> str:
    """The hash of all that decides a seed's selection: how phases are run does not."""
    item = params.selections_rounds[name]
    clusters = inputs.clustering
    made_from = [
        inputs.pool[["id", "messages"]].to_numpy().tolist(),
        _digest(inputs.embeddings),
        _digest(clusters.labels),
        None if inputs.quality is None else _digest(inputs.quality),
        base_hash(),
    ]
    if item.sampler_params.get("scorer") == "reward_model":
        model = item.sampler_params.get("model", "reward")
        made_from.append(model_hash(find_model(model, item.sampler_params.get("revision"))))
    recipe = [
        item.model_dump(),
        params.train.model_dump(exclude={"keep_models"}),
        params.rounds.model_dump(exclude={"executor", "launcher"}),
        params.judge.identity() if item.sampler_params.get("scorer") == "judge" else None,
        params.template,
    ]
    return value_hash([made_from, recipe, budget, code, seed])


def _digest(array: np.ndarray) -> str:
    import hashlib

    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def _write_result(
    folder: Path, rounds: list[Round], journal: ScratchJournal, inputs: Inputs
) -> None:
    write_frame(folder / "subset.parquet", _subset(rounds, inputs), SUBSET)
    told = []
    for one in rounds:
        scalars = {k: v for k, v in one.told.items() if not isinstance(v, np.ndarray)}
        told.append(
            {
                "round": one.number,
                "rows": len(one.picks),
                "seconds": journal.seconds[one.number],
                "cost": journal.cost(one.number),
                "notes": one.notes,
                **scalars,
            }
        )
    write_json(folder / "rounds.json", told)
    if any("weights" in one.told for one in rounds):
        write_frame(folder / "clusters.parquet", _clusters(rounds, inputs), ROUND_CLUSTERS)
        write_frame(folder / "instances.parquet", _instances(rounds, journal), ROUND_INSTANCES)
    write_json(folder / "cost.json", _cost(rounds, told, inputs))


def _cost(rounds: list[Round], told: list[dict[str, Any]], inputs: Inputs) -> dict[str, Any]:
    """What the selection took, in the words of every selection's, and its rounds' phases."""
    picks = np.concatenate([one.picks for one in rounds])
    names = sorted({name for entry in told for name in entry["cost"]} - {"seconds"})
    return {
        "size": len(picks),
        "seconds": round(sum(entry["seconds"] for entry in told), 3),
        "peak_memory_mb": peak_memory_mb(),
        "notes": [f"round {e['round']}: {note}" for e in told for note in e["notes"]],
        "clusters_reached": len(np.unique(inputs.clustering.labels[picks])),
        "clusters_total": inputs.clustering.k,
        "feedback": {n: round(sum(e["cost"].get(n, 0) for e in told), 6) for n in names},
    }


def _subset(rounds: list[Round], inputs: Inputs) -> "pd.DataFrame":
    import pandas as pd

    picks = np.concatenate([one.picks for one in rounds])
    quality = inputs.quality
    return pd.DataFrame(
        {
            "id": inputs.pool["id"].to_numpy()[picks],
            "order": np.arange(len(picks)),
            "cluster": inputs.clustering.labels[picks].astype(np.int64),
            "score": np.full(len(picks), np.nan) if quality is None else quality[picks],
            "round": np.concatenate([np.full(len(r.picks), r.number) for r in rounds]),
        }
    )


def _clusters(rounds: list[Round], inputs: Inputs) -> "pd.DataFrame":
    """One row a round and cluster; the last round's weights are those it was drawn by."""
    import pandas as pd

    labels, k = inputs.clustering.labels, inputs.clustering.k
    tables = []
    for one in rounds:
        before = one.told.get("weights_before", one.weights)
        table = {
            "round": one.number,
            "cluster": np.arange(k),
            "taken": np.bincount(labels[one.picks], minlength=k),
            "weight_before": before,
            "score": one.told.get("cluster_scores", np.full(k, np.nan)),
            "weight": one.told.get("weights", before),
        }
        tables.append(pd.DataFrame(table))
    return pd.concat(tables, ignore_index=True)


def _instances(rounds: list[Round], journal: ScratchJournal) -> "pd.DataFrame":
    import pandas as pd

    tables = []
    for one in rounds:
        answers = journal.answers(one.number)
        if answers is not None:
            answers = answers.assign(
                round=one.number,
                gold=one.observed["gold"],
                generated=one.observed["generated"],
            )
            tables.append(answers)
    whole = pd.concat(tables, ignore_index=True)
    return whole.reindex(columns=[name for name, _ in ROUND_INSTANCES.columns])
