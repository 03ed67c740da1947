"""What a selection in rounds leaves of a seed, for the stages and reports that follow."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common import layout
from harness.common.files import read_json, replacing_folder, write_json
from harness.common.memory import peak_memory_mb
from harness.common.schemas import ROUND_CLUSTERS, ROUND_INSTANCES, SUBSET, write_frame
from harness.common.stores import seal
from harness.params.params import Params
from harness.round_systems.loop import Round
from harness.rounds.journal import ScratchJournal
from harness.selecting.subsets import Inputs, clusters_reached, write_costs

if TYPE_CHECKING:
    import pandas as pd


def write_result(
    folder: Path, rounds: list[Round], journal: ScratchJournal, inputs: Inputs
) -> None:
    """Write a seed's subset, what its rounds saw, and what they cost."""
    write_frame(folder / "subset.parquet", _subset(rounds, inputs), SUBSET)
    told = [journal.told[one.number] for one in rounds]
    write_json(folder / "rounds.json", told)
    if any("weights" in one.told for one in rounds):
        write_frame(folder / "clusters.parquet", _clusters(rounds, inputs), ROUND_CLUSTERS)
        write_frame(folder / "instances.parquet", _instances(rounds, journal), ROUND_INSTANCES)
    write_json(folder / "cost.json", _cost(rounds, told, inputs))


def publish(
    params: Params, name: str, results: list[tuple[str, int, Path]], inputs: Inputs
) -> None:
    """Copy the results, (group, seed, folder), to where later stages read them.

    A group for which the selection has no seed gets an empty folder, as every selection's does.
    """
    costs = {seed: read_json(result / "cost.json") for _, seed, result in results}
    subsets, seen = layout.subset_folder(name), layout.selection_folder(name)
    with replacing_folder(subsets) as to_subsets, replacing_folder(seen) as to_seen:
        for group in params.groups_of(name):
            (to_subsets / group).mkdir()
        for group, seed, result in results:
            shutil.copyfile(result / "subset.parquet", to_subsets / group / f"seed_{seed}.parquet")
            folder = to_seen / group / f"seed_{seed}"
            folder.mkdir(parents=True)
            for path in (*result.glob("rounds.json"), *result.glob("*s.parquet")):
                shutil.copyfile(path, folder / path.name)
        for group in params.groups_of(name):
            seal(to_subsets / group)
        write_costs(to_seen, params, name, costs)
        np.save(to_seen / "labels.npy", inputs.clustering.labels)


def _cost(rounds: list[Round], told: list[dict[str, Any]], inputs: Inputs) -> dict[str, Any]:
    """What the selection took, in the words of every selection's, and its rounds' phases."""
    picks = np.concatenate([one.picks for one in rounds])
    names = sorted({name for entry in told for name in entry["cost"]} - {"seconds"})
    notes = [f"round {e['round']}: {note}" for e in told for note in e["notes"]]
    return {
        "size": len(picks),
        "seconds": round(sum(entry["seconds"] for entry in told), 3),
        "peak_memory_mb": peak_memory_mb(),
        "notes": [*inputs.quality_notes, *notes],
        **clusters_reached(inputs.clustering, picks),
        "feedback": {n: round(sum(e["cost"].get(n, 0) for e in told), 6) for n in names},
    }


def _subset(rounds: list[Round], inputs: Inputs) -> "pd.DataFrame":
    import pandas as pd

    picks = np.concatenate([one.picks for one in rounds])
    quality = inputs.quality
    return pd.DataFrame(
        {
            "id": inputs.pool.take(picks).ids,
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
