"""From a selection to the subsets of its seeds, written for the stages that train on them."""

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common.errors import InputError
from harness.common.files import replacing_folder, write_json
from harness.common.layout import selection_folder, subset_folder
from harness.common.memory import peak_memory_mb
from harness.common.schemas import SUBSET, PoolRows, write_frame
from harness.common.stores import seal
from harness.common.timings import set_apart
from harness.params.params import Params, Selection
from harness.samplers import SAMPLERS, Pool, are_unit
from harness.samplers.pool import by_quality, warn_of_ties
from harness.selecting.budget import within_budget

if TYPE_CHECKING:
    import pandas as pd

    from harness.clustering.files import Clustering

log = logging.getLogger(__name__)

FEW = 64  # rows to warm up a sampler on
Choose = Callable[[np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class SamplerInputs:
    """What a sampler may read: the pool's rows, embedding, clustering, costs and quality."""

    pool: PoolRows
    embeddings: np.ndarray
    clustering: "Clustering"
    costs: np.ndarray  # (n,) int64 in the budget's unit
    quality: np.ndarray | None = None
    threads: int | None = 1  # for the report's seconds; None: every core
    quality_notes: tuple[str, ...] = ()  # on ties of the quality


def choose_with(selection: Selection, inputs: SamplerInputs, budget: int) -> Choose:
    """The selection's sampler as a function of the generator alone.

    It passes on the sampler's warnings and, if it reads quality, the notes on that. InputError
    where ``keep_best`` leaves less than the budget.
    """
    share = getattr(selection, "keep_best", None)
    return (
        _choose_among_all(selection, inputs, budget)
        if share is None
        else _choose_among_best(selection, inputs, budget, share)
    )


def best_rows(rows: int, share: float) -> int:
    """How many rows ``keep_best`` leaves of a pool."""
    return max(1, round(share * rows))


def _choose_among_best(
    selection: Selection, inputs: SamplerInputs, budget: int, share: float
) -> Choose:
    """As if the pool were its best rows by quality alone, in its order and with its clusters."""
    quality, clustering = inputs.quality, inputs.clustering
    if quality is None:
        raise InputError("keep_best ranks rows by quality; name one, as quality: sigmoid(reward)")
    ranked = by_quality(quality, np.arange(len(quality)))
    count = best_rows(len(quality), share)
    kept = np.sort(ranked[:count])
    if (left := int(inputs.costs[kept].sum())) < budget:
        raise InputError(
            f"keep_best: {share:g} leaves {count:,} rows, which are {left:,} of the budget's "
            f"{budget:,}; raise it or lower the budget"
        )
    best = replace(
        inputs,
        pool=inputs.pool.take(kept),
        embeddings=inputs.embeddings[kept],
        clustering=replace(clustering, labels=clustering.labels[kept]),
        costs=inputs.costs[kept],
        quality=quality[kept],
    )
    among_best = _choose_among_all(selection, best, budget)

    def choose(rng: np.random.Generator) -> np.ndarray:
        for note in inputs.quality_notes:
            warnings.warn(note, stacklevel=2)
        warn_of_ties(quality, ranked, count)
        return kept[among_best(rng)]

    return choose


def _choose_among_all(selection: Selection, inputs: SamplerInputs, budget: int) -> Choose:
    sampler = SAMPLERS[selection.sampler]
    pool = pool_of(inputs, selection.sampler)
    _warm_up(selection, pool)
    params = selection.sampler_params
    of_quality = inputs.quality_notes if "quality" in sampler.needs_with(params) else ()
    notes_of: dict[int, tuple[str, ...]] = {}  # by number of rows

    def sized(rows: int, rng: np.random.Generator) -> np.ndarray:
        try:
            with _notes() as notes:
                picks = sampler(pool, rows, rng, **params)
        except (ValueError, TypeError) as error:
            raise InputError(f"sampler {selection.sampler}: {error}") from None
        notes_of[rows] = tuple(notes)
        return picks

    def choose(rng: np.random.Generator) -> np.ndarray:
        picks = within_budget(sized, inputs.costs, budget, rng)
        # A budget in tokens tries several numbers of rows; only this one's notes count.
        for note in (*of_quality, *notes_of[len(picks)]):
            warnings.warn(note, stacklevel=2)
        return picks

    return choose


@contextmanager
def _notes() -> Iterator[list[str]]:
    """Collect the warnings of the block instead of showing them, each text once."""
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield notes
    notes += dict.fromkeys(str(one.message) for one in caught if one.category is UserWarning)


def pool_of(inputs: SamplerInputs, sampler: str) -> Pool:
    """The instances in the form that a sampler takes."""
    clusters = (inputs.clustering.labels, inputs.clustering.centroids)
    embeddings = rows_for(sampler, np.asarray(inputs.embeddings))
    return Pool(embeddings, inputs.quality, clusters, threads=inputs.threads)


def rows_for(sampler: str, embeddings: np.ndarray) -> np.ndarray:
    """The embeddings (n, d) as a sampler takes them: of length 1 if it compares directions."""
    from harness.clustering.blocks import unit_rows

    needs = SAMPLERS[sampler].needs
    # Clusters were made from scaled rows: samplers get the same bits.
    if "clusters" in needs or ("unit" in needs and not are_unit(embeddings)):
        return unit_rows(embeddings)
    return embeddings


def _warm_up(selection: Selection, pool: Pool) -> None:
    """Let the sampler import and compile what it runs on, so that timing excludes that.

    Errors are ignored: it may refuse a few rows but not all, and else fails again when it chooses.
    """
    assert pool.clusters is not None
    few = slice(FEW)
    quality = None if pool.quality is None else pool.quality[few]
    clusters = (pool.clusters[0][few], pool.clusters[1])
    some = replace(pool, embeddings=pool.embeddings[few], quality=quality, clusters=clusters)
    with suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rng, params = np.random.default_rng(0), selection.sampler_params
        SAMPLERS[selection.sampler](some, -(-some.size // 8), rng, **params)


def write_subsets(
    params: Params,
    name: str,
    ids: list[str],
    choose: Choose,
    clustering: "Clustering | None" = None,
    quality: np.ndarray | None = None,
) -> None:
    """Choose once a seed; write each subset, and separately the cost of choosing.

    ``ids`` are the pool's, in order; ``choose`` gets a generator seeded by the run's seed alone.
    ``clustering`` and ``quality`` (n,), where read, are written to the subsets.
    """
    costs: dict[int, dict[str, Any]] = {}
    with replacing_folder(subset_folder(name)) as folder:
        for group in params.groups_of(name):
            (folder / group).mkdir()
            for seed in params.seeds_of(name, group):
                picks, costs[seed] = chosen(name, choose, seed)
                if clustering is not None:
                    costs[seed] |= clusters_reached(clustering, picks)
                frame = subset_frame(picks, ids, clustering, quality)
                write_frame(folder / group / f"seed_{seed}.parquet", frame, SUBSET)
            seal(folder / group)
    with replacing_folder(selection_folder(name)) as folder:
        write_costs(folder, params, name, costs)
        set_apart(folder, selection_folder(name))


def write_costs(folder: Path, params: Params, name: str, costs: dict[int, dict[str, Any]]) -> None:
    """Write the cost of choosing, by seed, with the system and its params."""
    item = params.chosen_by(name)
    system = item.sampler if isinstance(item, Selection) else item.rows
    knobs = item.sampler_params if isinstance(item, Selection) else {}
    info = {"selection": name, "sampler": system, "params": knobs, "seeds": costs}
    write_json(folder / "costs.json", info)


def clusters_reached(clustering: "Clustering", picks: np.ndarray) -> dict[str, int]:
    """The number of clusters that the picks reach, that hold instances, and in all."""
    return {
        "clusters_reached": len(np.unique(clustering.labels[picks])),
        "clusters_held": len(np.unique(clustering.labels)),
        "clusters_total": clustering.k,
    }


def chosen(name: str, choose: Choose, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
    """A seed's choice and its cost, with the sampler's warnings as notes."""
    from threadpoolctl import threadpool_limits

    start = time.perf_counter()
    # One thread: sums in another order could decide a tie otherwise.
    with threadpool_limits(1), _notes() as notes:
        picks = choose(np.random.default_rng(seed))
    seconds = time.perf_counter() - start
    for note in notes:
        log.info("note: %s, seed %d: %s", name, seed, note)
    cost = {"size": len(picks), "seconds": round(seconds, 4), "peak_memory_mb": peak_memory_mb()}
    return picks, {**cost, "notes": notes}


def subset_frame(
    picks: np.ndarray,
    ids: list[str],
    clustering: "Clustering | None",
    quality: np.ndarray | None,
    rounds: np.ndarray | None = None,
) -> "pd.DataFrame":
    """The table of a subset: a row per pick, in order, with why it was picked (SUBSET)."""
    import pandas as pd

    clusters = np.full(len(picks), -1) if clustering is None else clustering.labels[picks]
    return pd.DataFrame(
        {
            "id": pd.Series([ids[i] for i in picks], dtype="str"),
            "order": np.arange(len(picks)),
            "cluster": clusters.astype(np.int64),
            "score": np.full(len(picks), np.nan) if quality is None else quality[picks],
            "round": np.zeros(len(picks), dtype=np.int64) if rounds is None else rounds,
        }
    )
