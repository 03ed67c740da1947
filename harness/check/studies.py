"""Checks the names in the main table, `further` and the studies of params.yaml."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial

from harness.common.errors import InputError, nearest
from harness.params.params import MAIN, Cell, Further, Params
from harness.params.pruning import RECIPE, SUBSETS

OTHER_REPORTS = (SUBSETS, RECIPE, "page")  # their folders in results/ are taken
OTHER_MODELS = (MAIN, "base", "reward")  # names by which scorers and rounds know models already
_LARGE = 10**9  # a budget for the rounds of any selection: the pool's size is unknown here


def study_problems(params: Params) -> Iterator[str]:
    """Unknown names, groups without subsets, seeds that a row has twice."""
    yield from _listed(params, "table", params.table)
    yield from _entries(params)
    if MAIN in params.base_models:
        yield f"base_models.{MAIN}: `base_model` is called so; rename this one"
    for name in (name for name in OTHER_MODELS if name in params.reward_models):
        yield f"reward_models.{name}: another model is called so; rename this one"
    for name in (MAIN, *OTHER_REPORTS):
        if name in params.studies:
            yield f"studies.{name}: a report of its own is called so; rename the study"
    yield from _worlds(params)
    for study in params.every_study:
        yield from _rows(params, study)


def _listed(params: Params, key: str, names: Sequence[str]) -> Iterator[str]:
    """Rows that are no selection or reference, or listed twice."""
    rows = [*params.every_selection, *params.references]
    for name in dict.fromkeys(names):
        if name not in rows:
            yield f"{key}: no selection is called {name!r}{nearest(name, rows)}"
        if names.count(name) > 1:
            yield f"{key}: {name!r} is listed twice; remove one"


def _worlds(params: Params) -> Iterator[str]:
    """A pool that cannot be generated anew, worlds that are the same, reports of nothing."""
    yield from _listed(params, "world_rows", params.world_rows)
    if params.worlds and not params.world_rows:
        yield "world_rows: worlds are listed and no row is; add some of `table`"
    chosen = [name for name in params.world_rows if name in params.every_selection]
    if params.worlds:
        yield from _world_embeddings(params, chosen)
    for name, report in params.world_reports.items():
        if not params.worlds:
            yield f"world_reports.{name}: there is no world; add some to `worlds`"
        if report.baseline not in chosen:
            rule = f"no selection of world_rows is called {report.baseline!r}"
            yield f"world_reports.{name}.baseline: {rule}{nearest(report.baseline, chosen)}"
        if name in (*params.every_study, *OTHER_REPORTS):
            yield f"world_reports.{name}: another report is called so; rename one"
    seeds = [params.lab.seed, *(world.seed for world in params.worlds.values())]
    if params.worlds and params.prepare.source != "lab":
        yield "worlds: they need `prepare.source: lab`, the pool that is generated; remove them"
    for name, world in params.worlds.items():
        if seeds.count(world.seed) > 1:
            yield f"worlds.{name}: {world.seed} is the seed of another world, too; choose one each"


def _world_embeddings(params: Params, rows: list[str]) -> Iterator[str]:
    only = params.defaults.embedding
    for name in rows:
        if (embedding := params.every_selection[name].embedding) != only:
            rule = f"reads the embedding {embedding}, and a world makes {only} alone"
            yield f"world_rows: {name} {rule} (defaults.embedding); take another row"


def _entry(params: Params, key: str, item: Further) -> Iterator[str]:
    """An entry's study, selection, group, base model and rounds."""
    if item.study not in params.every_study:
        near = nearest(item.study, params.every_study)
        yield f".study: no study is called {item.study!r}{near}; add it to `studies`"
    if item.base != MAIN and item.base not in params.base_models:
        near = nearest(item.base, [MAIN, *params.base_models])
        yield f".base: no base model is called {item.base!r}{near}"
    rows = [*params.every_selection, *params.references]
    if item.of not in rows:
        yield f".of: no selection is called {item.of!r}{nearest(item.of, rows)}"
        return
    if item.group not in params.groups_of(item.of):
        yield (
            f".group: {item.of} has no subsets for {item.group!r}; add `more_groups: "
            f"[{item.group}]` to {item.of}, or take one of {', '.join(params.groups_of(item.of))}"
        )
    if item.study == MAIN and (item.of not in params.table or item.rows or item.rounds):
        yield ": `study: main` is for more seeds of a row of `table`; name another study"
    if item.study == MAIN and key in params.table:
        yield ": a row of `table` is called so; rename one"
    yield from _size(params, item)


def _size(params: Params, item: Further) -> Iterator[str]:
    """Fewer rows or rounds than the selection takes, if any are named."""
    budget = params.chosen_by(item.of).budget or params.defaults.budget
    if isinstance(budget, float) and params.prepare.source == "lab":
        budget = params.absolute_budget(item.of, params.lab.instances)
    known = params.budget_unit == "rows" and isinstance(budget, int)
    if known and item.rows is not None and item.rows > budget:
        yield f".rows: {item.rows}, and {item.of} takes {budget}; lower it"
    if item.rounds is None:
        return
    if item.of not in params.selections_rounds:
        yield f".rounds: {item.of} takes all at once; say `rows` instead"
    elif item.rounds > (most := _rounds(params, item.of)):
        yield f".rounds: {item.rounds} rounds of {item.of}, which has {most}; lower it"


def _entries(params: Params) -> Iterator[str]:
    """What is wrong with entries of `further`, once for all that have it from one anchor."""
    keys: dict[str, list[str]] = {}
    for key, item in params.further.items():
        for rule in _entry(params, key, item):
            keys.setdefault(rule, []).append(key)
    for rule, (first, *others) in keys.items():
        yield f"further.{first}{rule}" + (f" ({', '.join(others)} too)" if others else "")


def _rounds(params: Params, name: str) -> int:
    """How many rounds a selection has; _LARGE where its knobs are wrong."""
    from harness.round_systems import ROUND_SYSTEMS

    item = params.selections_rounds[name]
    try:
        return len(ROUND_SYSTEMS[item.sampler](**item.sampler_params).sizes(_LARGE))
    except (InputError, KeyError, TypeError):
        return _LARGE


def _rows(params: Params, study: str) -> Iterator[str]:
    """No row has a seed twice, no two rows one name, and every study has a row."""
    cells = list(_cells(params, study))
    rows: dict[str, Cell] = {}
    seen: dict[tuple[str, int], Cell] = {}
    for cell in cells:
        other = rows.setdefault(cell.name, cell)
        if other.row != cell.row:
            where = other.key or "`table`"
            rule = f"its row would be called {cell.name}, as that of {where} is"
            yield f"further.{cell.key}: {rule}; rename a selection or base model"
            continue
        for seed in cell.seeds:
            other = seen.setdefault((cell.name, seed), cell)
            if other is not cell and other.key != cell.key:
                where = other.key or "`table`"
                yield f"further.{cell.key}: {where} has seed {seed} of {cell.name} too; remove one"
                break
    named = {item.study for item in params.further.values()}
    # A study of no name is reported already: its entries may be of this one.
    if study != MAIN and study not in named and named.issubset(params.every_study):
        yield f"studies.{study}: no entry of `further` has `study: {study}`; add one"


def _cells(params: Params, study: str) -> Iterator[Cell]:
    """A study's cells, without those whose selection or group is reported already."""
    main = itertools.product(params.table, params.seed_groups) if study == MAIN else ()
    makers = [partial(params.main_cell, *one) for one in main]
    further = (key for key, item in params.further.items() if item.study == study)
    makers += [partial(params.further_cell, key) for key in further]
    for make in makers:
        with suppress(InputError):
            yield make()
