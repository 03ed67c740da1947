"""From a named selection to the subsets of its seeds, written for the stages that train on them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import InputError
from harness.files import replacing_folder, write_json
from harness.layout import selection_file, subset_folder
from harness.memory import peak_memory_mb
from harness.params import Params, Selection
from harness.samplers import SAMPLERS, Pool
from harness.schemas import SUBSET, write_frame

if TYPE_CHECKING:
    import pandas as pd

    from harness.clustering import Clustering

Choose = Callable[[np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Inputs:
    """What every selection may look at: the pool's rows, its embedding and one clustering."""

    pool: "pd.DataFrame"
    embeddings: np.ndarray
    clustering: "Clustering"


def choose_with(selection: Selection, inputs: Inputs, budget: int) -> Choose:
    """The selection's sampler with everything but its generator given."""
    sampler = SAMPLERS[selection.sampler]
    clusters = (inputs.clustering.labels, inputs.clustering.centroids)
    pool = Pool(np.asarray(inputs.embeddings), clusters=clusters)

    def choose(rng: np.random.Generator) -> np.ndarray:
        try:
            return sampler(pool, budget, rng, **selection.sampler_params)
        except (ValueError, TypeError) as error:
            raise InputError(f"sampler {selection.sampler}: {error}") from None

    return choose


def write_subsets(
    params: Params,
    name: str,
    ids: list[str],
    choose: Choose,
    clustering: "Clustering | None" = None,
) -> None:
    """Choose once a seed and write each subset, and one JSON of what choosing cost.

    Args:
        params: the pipeline's; gives the seed groups and which seeds the selection runs.
        name: the selection.
        ids: the pool's ids, in its order.
        choose: indices into the pool from a generator; seeded by the run's seed alone.
        clustering: to say which clusters were reached; None where none was read.
    """
    import pandas as pd
    from threadpoolctl import threadpool_limits

    study = params.references[name].study if name in params.references else "main"
    found: dict[str, Any] = {}
    with replacing_folder(subset_folder(study, name)) as folder:
        for group in params.all_groups():
            (folder / group).mkdir()
            for seed in params.seeds_of(name, group):
                start = time.perf_counter()
                # One thread: sums in another order could turn a tie.
                with threadpool_limits(1):
                    picks = choose(np.random.default_rng(seed))
                seconds = time.perf_counter() - start
                clusters = np.full(len(picks), -1)
                if clustering is not None:
                    clusters = clustering.labels[picks]
                frame = pd.DataFrame(
                    {
                        "id": pd.Series([ids[i] for i in picks], dtype="str"),
                        "order": np.arange(len(picks)),
                        "cluster": clusters.astype(np.int64),
                        "score": np.full(len(picks), np.nan),
                        "round": np.zeros(len(picks), dtype=np.int64),
                    }
                )
                write_frame(folder / group / f"seed_{seed}.parquet", frame, SUBSET)
                found[str(seed)] = {
                    "size": len(picks),
                    "seconds": round(seconds, 4),
                    "peak_memory_mb": peak_memory_mb(),
                    "clusters_reached": len(np.unique(clusters)) if clustering else None,
                    "clusters_total": clustering.k if clustering else None,
                }
    item = params.selections.get(name)
    info = {
        "selection": name,
        "sampler": item.sampler if item else params.references[name].rows,
        "params": item.sampler_params if item else {},
        "seeds": found,
    }
    write_json(selection_file(study, name), info)
