"""All columns of the scores; those made by models are kept and reused.

Kept under ``.store/scores/<key>/``, the key being the hash of all that a column depends on: the
instances, the scorer and its knobs, the model's files, the code. Unfinished columns are there too,
in chunks. So are the losses of responses given their prompts, which several scorers use: read once,
by whichever comes first.
"""

import inspect
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
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
from harness.models.size import parameter_counts
from harness.models.template import about, check_conversation, template_text
from harness.params.knobs import all_knobs, find_entry, knob_problems, knobs_of
from harness.params.params import ScorerParams
from harness.scorers import SCORERS
from harness.scorers.chunks import chunk_reads, drop_chunks
from harness.scorers.responses import read_responses

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)

_HERE = Path(__file__).parent
# Beside the scorers' own, the code that decides their columns.
_SHARED = (
    "models/batches",
    "models/likelihood",
    "models/loading",
    "models/reader",
    "models/template",
    "reward_model/classifier",
)
# By name: `rows` and `tokens` that a model read, and `seconds`, None if a killed run made a part.
Cost = dict[str, Any]


@dataclass(frozen=True)
class _Places:
    """The files of a column and of the responses that it uses, if any, by the hash of each."""

    column: Path
    responses: Path | None

    @property
    def folders(self) -> set[Path]:
        return {path.parent for path in (self.column, self.responses) if path is not None}


def make_scores(
    pool: PoolRows,
    scorers: Mapping[str, ScorerParams],
    prune: bool = False,
    store: Path | None = None,
) -> tuple["pd.DataFrame", dict[str, Cost]]:
    """The scores of a pool: its ids and one float64 column a scorer, in the order given.

    Kept columns come from the store (the repository's by default); with `prune`, it then loses all
    others. Also returns what making each column cost: `scorer`, its `model` and that one's
    `multiplied_parameters`, the `rows` and `tokens` read, and `seconds`, None if a killed run made
    a part. Those of the responses that it uses are not in its own but under `responses`, with the
    `first` column that uses the same. Raises InputError for invalid knobs before any scorer runs.
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
    costs: dict[str, Cost] = {}
    first: dict[Path, str] = {}
    # One at a time: a second process waits, and then reuses the columns in common.
    with locked(store) if keeps else nullcontext():
        instances = pool.hash()
        places = {name: _places(store, instances, item) for name, item in by_model.items()}
        made = [name for name, place in places.items() if not place.column.is_file()]
        _check_rows(pool, [by_model[name] for name in made])
        for name, item in scorers.items():
            if name in places:
                columns[name], cost = _kept_column(name, pool, item, places[name])
                size = parameter_counts(_model_of(item))["multiplied_parameters"]
                model = all_knobs(SCORERS[item.scorer], item.scorer_params)["model"]
                cost = {**cost, "model": model, "multiplied_parameters": size}
                if (shared := places[name].responses) is not None:
                    cost["responses"]["first"] = first.setdefault(shared, name)
            else:
                columns[name] = SCORERS[item.scorer](pool, None, **item.scorer_params)
                cost = {"rows": 0, "tokens": 0, "seconds": 0.0}
            costs[name] = {"scorer": item.scorer, **cost}
        if prune:
            used = set().union(*(place.folders for place in places.values()))
            for folder in set(store.iterdir()) - {*used, store / ".lock"}:
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
    name: str, pool: PoolRows, item: ScorerParams, place: _Places
) -> tuple[np.ndarray, Cost]:
    """A column and its cost, from the store or made."""
    scorer, shared = SCORERS[item.scorer], {}
    if (kept := _take(place.column, f"score {name}")) is not None:
        return kept
    given: list[np.ndarray] = []
    if place.responses is not None:
        responses, cost = _kept_responses(name, pool, item, place.responses)
        given, shared = [responses], {"responses": cost}

    def make() -> np.ndarray:
        return scorer(pool, place.column.parent, *given, **item.scorer_params)

    return _make(place.column, pool, name, make, shared)


def _kept_responses(
    name: str, pool: PoolRows, item: ScorerParams, file: Path
) -> tuple[np.ndarray, Cost]:
    """What `read_responses` returns, and its cost, from the store or made."""
    if (kept := _take(file, f"responses for {name}")) is not None:
        return kept
    knobs = all_knobs(SCORERS[item.scorer], item.scorer_params)
    given = {knob: knobs[knob] for knob in knobs_of(read_responses)}

    def make() -> np.ndarray:
        return read_responses(pool, file.parent, item.scorer, **given)

    return _make(file, pool, f"responses for {name}", make, {})


def _take(file: Path, what: str) -> tuple[np.ndarray, Cost] | None:
    """A kept array and its cost, if both are as they were written."""
    cost_file = _cost_file(file)
    if not (take_kept(file) and take_kept(cost_file)):
        return None
    array = np.load(file)
    log.info("%s of %s rows found in the cache", what, f"{array.shape[-1]:,}")
    return array, read_json(cost_file)


def _make(
    file: Path, pool: PoolRows, what: str, make: Callable[[], np.ndarray], more: Cost
) -> tuple[np.ndarray, Cost]:
    """What ``make`` returns, kept with its cost and ``more``; its chunks are dropped."""
    folder = file.parent
    log.info("scoring %s rows: %s (once: it is kept)", f"{len(pool):,}", what)
    # The seconds of a killed run are lost, and those of the rest alone mean nothing.
    fresh = not any(folder.glob("chunk_*"))
    folder.mkdir(exist_ok=True)
    start = time.perf_counter()
    made = make()
    seconds = round(time.perf_counter() - start, 2) if fresh else None
    # Without chunks a model read nothing, or a scorer does not count what it read.
    rows, tokens = chunk_reads(folder) or ((0, 0) if more else (len(pool), None))
    cost = {"rows": rows, "tokens": tokens, "seconds": seconds, **more}
    with keeping(_cost_file(file)) as temporary:  # first: nothing is ever without its cost
        temporary.write_text(json.dumps(cost))
    with keeping(file) as temporary:
        np.save(temporary, made)
    drop_chunks(folder)
    return made, cost


def _model_of(item: ScorerParams) -> Path:
    knobs = all_knobs(SCORERS[item.scorer], item.scorer_params)
    return find_model(knobs["model"], knobs["revision"])


def _cost_file(file: Path) -> Path:
    return file.with_name(f"{file.stem}_cost.json")


def _places(store: Path, instances: str, item: ScorerParams) -> _Places:
    """Where a column is kept, and the responses that it uses."""
    scorer = SCORERS[item.scorer]
    knobs = all_knobs(scorer, item.scorer_params)
    model = model_folder_hash(_model_of(item))
    code = scorer_code(item.scorer)
    column = store / value_hash([instances, item.scorer, knobs, model, code])[:32] / "column.npy"
    if "responses" not in inspect.signature(scorer).parameters:
        return _Places(column, None)
    # The model by its files, whatever it is called.
    read = {k: knobs[k] for k in knobs_of(read_responses) if k not in ("model", "revision")}
    key = value_hash([instances, "responses", read, model, scorer_code("responses")])[:32]
    return _Places(column, store / key / "responses.npy")


def scorer_code(scorer: str) -> str:
    """The hash of the code that makes a scorer's columns, other scorers' files excluded.

    Of ``responses``: the code that they share.
    """
    others = {_HERE / f"{name}.py" for name in SCORERS if name != scorer}
    others |= {_HERE / "__init__.py"}
    files = [p for p in sorted(_HERE.rglob("*")) if p.suffix in (".py", ".jinja")]
    files = [path for path in files if path not in others]
    files += [_HERE.parent / f"{name}.py" for name in _SHARED]
    templates = Path(harness.models.templates.__file__).parent
    files += sorted(path for path in templates.iterdir() if path.suffix in (".py", ".jinja"))
    return value_hash([(path.name, file_hash(path)) for path in files])
