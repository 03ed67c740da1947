"""Makes what the pipeline starts from: the pool, held-out rows, pretraining text, benchmarks.

Held-out rows are cut first, each part by its own random stream, so that no later choice moves them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.common.errors import InputError
from harness.common.schemas import HELDOUT, PRETRAINING, TRUTH, frame_of
from harness.params.prepare import FROM_POOL, PrepareParams
from harness.pools import card as cards
from harness.pools.benchmarks import read_items, searched_texts
from harness.pools.instances import Instance, pool_row, to_frame
from harness.pools.overlap import Items, SearchedTexts
from harness.pools.preferences import make_preferences
from harness.pools.raw_rows import Loaded
from harness.pools.rendering import Check, base_model_check, rendered_pairs
from harness.pools.splits import Cutter
from harness.pools.word_runs import Vocabulary
from harness.suites import load_suite
from harness.suites.items import ItemSource

if TYPE_CHECKING:
    import pandas as pd

    from harness.params.lab import LabParams
    from harness.params.params import Params

Parts = dict[str, list[Instance]]


@dataclass(frozen=True)
class Prepared:
    """What the stage writes: frames as in `schemas`, benchmark items, the data card."""

    pool: "pd.DataFrame"
    heldout: "pd.DataFrame"
    truth: "pd.DataFrame"
    pretraining: "pd.DataFrame"
    preferences: "pd.DataFrame"
    benchmarks: dict[str, list[dict[str, Any]]]
    card: dict[str, Any]


def prepare(params: "Params") -> Prepared:
    """Build the starting point that params.yaml describes; InputError for any bad input."""
    data = load_suite(params.evaluate.suite).data
    made = prepare_section(params.prepare, params.lab, base_model_check(params), data)
    rows = len(made.pool)
    budgets = [params.absolute_budget(name, rows) for name in params.every_selection]
    # Tokens are counted once there is a tokenizer.
    if params.budget_unit == "rows" and (most := max(budgets, default=0)) > rows:
        rule = f"the budget is {most} rows, the pool has {rows}"
        raise InputError(f"{params.prepare.source}: {rule}; lower `budget` or give a larger pool")
    return made


def prepare_section(
    params: PrepareParams,
    lab: "LabParams | None" = None,
    check: Check | None = None,
    data: Mapping[str, ItemSource] | None = None,
) -> Prepared:
    """`prepare` given its section alone.

    ``check`` applies the base model's chat template, ``data`` are the suite's benchmark items.
    """
    data = data or {}
    cutter = Cutter(params, lab, check)
    heldout = {part.name: cutter.cut(part, "heldout") for part in params.heldout}
    base = {part.name: cutter.cut(part, "pretraining") for part in params.pretraining}
    pool = cutter.pool
    if not pool:
        raise InputError(f"{params.source}: no row is left for the pool; cut fewer from it")
    benchmarks = cutter.loaded.benchmarks | read_items(params, data)
    words = Vocabulary()
    targets = {f"heldout/{name}": [i.text for i in rows] for name, rows in heldout.items()}
    targets |= searched_texts(benchmarks, data)
    index = {name: Items(texts, params.overlap, words) for name, texts in targets.items()}
    overlap, touched = cards.overlaps(_rows(pool, params, words), index)
    if params.remove_overlap:
        pool = [instance for i, instance in enumerate(pool) if i not in touched]
        if not pool:
            rule = "every row of the pool overlaps held-out rows or benchmarks"
            raise InputError(f"{params.source}: {rule}; give other rows, or remove_overlap: false")
    if base:
        index[FROM_POOL] = Items([i.text for i in pool], params.overlap, words)
    base, base_card = _without_overlap(base, index, params, words)
    preferences = cutter.loaded.preferences
    if preferences is None:
        rows = [row for part in base.values() for row in part]
        preferences = make_preferences(rows, params.preference_pairs, params.seed)
    refused: dict[str, int] = {}
    if check is not None:
        preferences, refused = rendered_pairs(preferences, check, params.on_bad_row)
    card = {
        "source": params.source,
        "seed": params.seed,
        "sources": cutter.card,
        "pool": cards.describe(pool) | {"duplicates": cards.duplicates(pool, params)},
        "overlap_of_pool": overlap,
        "pool_rows_removed_for_overlap": len(touched) if params.remove_overlap else 0,
        "overlap_definition": cards.overlap_definition(params),
        "heldout": {name: cards.describe(rows) for name, rows in heldout.items()},
        "pretraining": base_card,
        "preferences": preferences["fault"].value_counts().sort_index().to_dict(),
        "benchmarks": {name: {"items": len(items)} for name, items in benchmarks.items()},
    } | ({"preferences_dropped": refused} if refused else {})
    return Prepared(
        pool=to_frame(pool),
        heldout=_held(heldout),
        truth=_truth(cutter.loaded, pool),
        pretraining=_pretraining(base, cutter.loaded),
        preferences=preferences,
        benchmarks=benchmarks,
        card=card,
    )


def _held(heldout: Parts) -> "pd.DataFrame":
    rows = [(name, instance) for name, part in heldout.items() for instance in part]
    return frame_of(HELDOUT, [(f"{name}_{i.id}", *pool_row(i)[1:], name) for name, i in rows])


def _rows(instances: list[Instance], params: PrepareParams, words: Vocabulary) -> SearchedTexts:
    texts, prompts = [i.text for i in instances], [i.prompt for i in instances]
    return SearchedTexts(texts, prompts, params.overlap, words)


def _without_overlap(
    parts: Parts, index: dict[str, Items], params: PrepareParams, words: Vocabulary
) -> tuple[Parts, dict[str, Any]]:
    kept: Parts = {}
    card: dict[str, Any] = {}
    for name, rows in parts.items():
        counts, touched = cards.overlaps(_rows(rows, params, words), index)
        kept[name] = [row for i, row in enumerate(rows) if i not in touched]
        card[name] = {
            "rows_cut": len(rows),
            "rows_removed_for_overlap": len(touched),
            "overlap": {target: count["rows"] for target, count in counts.items()},
            "rows": len(kept[name]),
            "characters": sum(len(row.text) for row in kept[name]),
        }
    if parts and not any(kept.values()):
        rule = "all the base model's text overlaps the pool, held-out rows or benchmarks"
        raise InputError(
            f"{params.source}: {rule}; give other text, or raise prepare.overlap.share"
        )
    return kept, card


def _truth(loaded: Loaded, pool: list[Instance]) -> "pd.DataFrame":
    import pandas as pd

    if loaded.truth is None:
        return frame_of(TRUTH, [])
    ids = pd.Index([i.id for i in pool])
    return loaded.truth.set_index("id", drop=False).loc[ids].reset_index(drop=True)


def _pretraining(parts: Parts, loaded: Loaded) -> "pd.DataFrame":
    import pandas as pd

    rows = [(row.learnt_text, name) for name, rows in parts.items() for row in rows]
    made = frame_of(PRETRAINING, rows)
    if loaded.pretraining is None:
        return made
    return pd.concat([loaded.pretraining, made], ignore_index=True) if rows else loaded.pretraining
