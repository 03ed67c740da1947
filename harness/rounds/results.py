"""The files of a selection in rounds, for the stages and reports that follow."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common import layout
from harness.common.files import read_json, replacing_folder, write_json
from harness.common.memory import peak_memory_mb
from harness.common.schemas import ROUND_CLUSTERS, ROUND_INSTANCES, SUBSET, write_frame
from harness.common.stores import seal
from harness.common.timings import set_apart
from harness.params.params import Params
from harness.round_systems.loop import Round
from harness.rounds.journal import ScratchJournal
from harness.selecting.subsets import SamplerInputs, clusters_reached, subset_frame, write_costs

if TYPE_CHECKING:
    import pandas as pd


def write_result(
    folder: Path, rounds: list[Round], journal: ScratchJournal, inputs: SamplerInputs
) -> None:
    """Write a seed's subset, its rounds' observations and their cost."""
    picks = np.concatenate([one.picks for one in rounds])
    numbers = np.repeat([one.number for one in rounds], [len(one.picks) for one in rounds])
    frame = subset_frame(picks, inputs.pool.ids, inputs.clustering, inputs.quality, numbers)
    write_frame(folder / "subset.parquet", frame, SUBSET)
    reports = [journal.reports[one.number] for one in rounds]
    write_json(folder / "rounds.json", reports)
    if any("weights" in one.report for one in rounds):
        write_frame(folder / "clusters.parquet", _clusters(rounds, inputs), ROUND_CLUSTERS)
        write_frame(folder / "instances.parquet", _instances(rounds, journal), ROUND_INSTANCES)
    write_json(folder / "cost.json", _cost(picks, reports, inputs))


def publish(
    params: Params, name: str, results: list[tuple[str, int, Path]], inputs: SamplerInputs
) -> None:
    """Copy the results, (group, seed, folder), to where later stages read them.

    A group without a seed of the selection gets an empty folder, as for every selection.
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
        set_apart(to_seen, seen)


def _cost(
    picks: np.ndarray, reports: list[dict[str, Any]], inputs: SamplerInputs
) -> dict[str, Any]:
    """The cost of the selection, as every selection's, and of its rounds' phases."""
    names = sorted({name for entry in reports for name in entry["cost"]} - {"seconds"})
    notes = [f"round {e['round']}: {note}" for e in reports for note in e["notes"]]
    return {
        "size": len(picks),
        "seconds": round(sum(entry["seconds"] for entry in reports), 3),
        "peak_memory_mb": peak_memory_mb(),
        "notes": [*inputs.quality_notes, *notes],
        **clusters_reached(inputs.clustering, picks),
        "feedback": {n: round(sum(e["cost"].get(n, 0) for e in reports), 6) for n in names},
    }


def _clusters(rounds: list[Round], inputs: SamplerInputs) -> "pd.DataFrame":
    """One row a round and cluster; the last round has the weights that it was drawn by."""
    import pandas as pd

    labels, k = inputs.clustering.labels, inputs.clustering.k
    tables = []
    for one in rounds:
        before = one.report.get("weights_before", one.weights)
        table = {
            "round": one.number,
            "cluster": np.arange(k),
            "taken": np.bincount(labels[one.picks], minlength=k),
            "weight_before": before,
            "score": one.report.get("cluster_scores", np.full(k, np.nan)),
            "weight": one.report.get("weights", before),
        }
        tables.append(pd.DataFrame(table))
    return pd.concat(tables, ignore_index=True)


def _instances(rounds: list[Round], journal: ScratchJournal) -> "pd.DataFrame":
    import pandas as pd

    tables = [
        answers.assign(round=one.number, **{k: one.observed[k] for k in ("gold", "generated")})
        for one in rounds
        if (answers := journal.answers(one.number)) is not None
    ]
    whole = pd.concat(tables, ignore_index=True)
    return whole.reindex(columns=[name for name, _ in ROUND_INSTANCES.columns])
