"""All columns of the scores; those made by models are kept and reused.

Kept under ``.store/scores/<key>/``, the key being the hash of all that a column depends on: the
instances, the scorer and its knobs, the model's files, the code. Unfinished columns are there too,
in chunks.
"""

import json
import logging
import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import harness.models.templates
from harness.common.errors import InputError
from harness.common.files import file_hash, read_json, remove, value_hash
from harness.common.schemas import PoolRows
from harness.common.stores import keeping, locked, repo_root, take_kept
from harness.models.loading import load_tokenizer
from harness.models.reader import find_model, model_folder_hash
from harness.models.template import about, check_conversation, template_text
from harness.params.knobs import all_knobs, find_entry, knob_problems, knobs_of
from harness.params.params import ScorerParams
from harness.scorers import SCORERS
from harness.scorers.chunks import drop_chunks

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)

_HERE = Path(__file__).parent
# Beside the scorers' own, the code that decides their columns.
_SHARED = ("models/batches", "models/loading", "models/template", "reward_model/classifier")


def make_scores(
    pool: PoolRows,
    scorers: Mapping[str, ScorerParams],
    prune: bool = False,
    store: Path | None = None,
) -> tuple["pd.DataFrame", dict[str, dict[str, Any]]]:
    """The scores of a pool: its ids and one float64 column a scorer, in the order given.

    Kept columns come from the store (the repository's by default); with `prune`, it then loses all
    others. Also returns the cost of making each column: `scorer`, `rows` that a model read, and
    `seconds`, None if a killed run made a part. Raises InputError for invalid knobs before any
    scorer runs.
    """
    import pandas as pd

    for name, item in scorers.items():
        if name == "id":
            raise InputError(
                "scorers.id: the column of ids is called so; give this one another name"
            )
        scorer = find_entry(SCORERS, item.scorer, f"scorers.{name}.scorer", "scorer")
        for problem in knob_problems(f"scorers.{name}.", item.scorer, scorer, item.scorer_params):
            raise InputError(problem)
    store = store or repo_root() / ".store" / "scores"
    by_model = {n: item for n, item in scorers.items() if "model" in SCORERS[item.scorer].needs}
    if keeps := bool(by_model) or prune:
        store.mkdir(parents=True, exist_ok=True)
    columns: dict[str, Any] = {"id": pool.ids}
    costs: dict[str, dict[str, Any]] = {}
    # One at a time: a second process waits, and then reuses the columns in common.
    with locked(store) if keeps else nullcontext():
        instances = pool.hash()
        folders = {name: store / _key(instances, item) for name, item in by_model.items()}
        made = [n for n, folder in folders.items() if not (folder / "column.npy").is_file()]
        _check_rows(pool, [by_model[name] for name in made])
        for name, item in scorers.items():
            if name in folders:
                columns[name], seconds = _kept_column(name, pool, item, folders[name])
                cost = {"rows": len(pool), "seconds": seconds}
            else:
                columns[name] = SCORERS[item.scorer](pool, None, **item.scorer_params)
                cost = {"rows": 0, "seconds": 0.0}
            costs[name] = {"scorer": item.scorer, **cost}
        if prune:
            for folder in set(store.iterdir()) - {*folders.values(), store / ".lock"}:
                remove(folder)
    return pd.DataFrame(columns), costs


def rendering_tokenizer(scorer: str, knobs: Mapping[str, Any]) -> "PreTrainedTokenizerBase | None":
    """The tokenizer whose own chat template a scorer renders rows by, or None.

    Our templates, for models without one, refuse no row.
    """
    if "template" not in knobs_of(SCORERS[scorer]):
        return None
    given = all_knobs(SCORERS[scorer], knobs)
    tokenizer = load_tokenizer(find_model(given["model"], given["revision"]))
    return tokenizer if template_text(tokenizer) else None


def _check_rows(pool: PoolRows, items: Iterable[ScorerParams]) -> None:
    """InputError, before any model runs, for an instance that a chat template refuses."""
    for item in items:
        tokenizer = rendering_tokenizer(item.scorer, item.scorer_params)
        if tokenizer is not None:
            for name, messages in zip(pool.names, pool.conversations(), strict=True):
                with about(name):
                    check_conversation(tokenizer, messages)


def _kept_column(
    name: str, pool: PoolRows, item: ScorerParams, folder: Path
) -> tuple[np.ndarray, float | None]:
    """A column and its seconds, from the store or made."""
    file, cost_file = folder / "column.npy", folder / "cost.json"
    if take_kept(file) and take_kept(cost_file):
        log.info("score %s of %s rows found in the cache", name, f"{len(pool):,}")
        return np.load(file), read_json(cost_file)["seconds"]
    log.info("scoring %s rows: %s (once: it is kept)", f"{len(pool):,}", name)
    # The seconds of a killed run are lost, and those of the rest alone mean nothing.
    fresh = not any(folder.glob("chunk_*"))
    folder.mkdir(exist_ok=True)
    start = time.perf_counter()
    column = SCORERS[item.scorer](pool, folder, **item.scorer_params)
    seconds = round(time.perf_counter() - start, 2) if fresh else None
    with keeping(cost_file) as temporary:  # first: a column is never without its cost
        temporary.write_text(json.dumps({"seconds": seconds}))
    with keeping(file) as temporary:
        np.save(temporary, column)
    drop_chunks(folder)
    return column, seconds


def _key(instances: str, item: ScorerParams) -> str:
    knobs = all_knobs(SCORERS[item.scorer], item.scorer_params)
    model = model_folder_hash(find_model(knobs["model"], knobs["revision"]))
    return value_hash([instances, item.scorer, knobs, model, scorer_code(item.scorer)])[:32]


def scorer_code(scorer: str) -> str:
    """The hash of the code that makes a scorer's columns, other scorers' files excluded."""
    others = {_HERE / f"{name}.py" for name in SCORERS if name != scorer}
    others |= {_HERE / "__init__.py"}
    files = [p for p in sorted(_HERE.rglob("*")) if p.suffix in (".py", ".jinja")]
    files = [path for path in files if path not in others]
    files += [_HERE.parent / f"{name}.py" for name in _SHARED]
    templates = Path(harness.models.templates.__file__).parent
    files += sorted(path for path in templates.iterdir() if path.suffix in (".py", ".jinja"))
    return value_hash([(path.name, file_hash(path)) for path in files])
