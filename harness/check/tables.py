"""Checks the names in params.yaml, and their knobs, against the tables of the harness."""

import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from harness.common.errors import InputError, nearest
from harness.params.knobs import knob_problems
from harness.params.params import Params, Selection
from harness.selecting.quality import terms
from harness.training.kernels import NOT_INSTALLED, liger_is_installed

SELECTIONS = ("selections", "selections_scored", "selections_rounds")
OF_SCORED = {"quality", "keep_best"}  # keys that only entries of `selections_scored` have


def table_problems(params: Params) -> Iterator[str]:
    """Names and knobs that no table has, qualities of columns that no scorer makes."""
    yield from _names(params)
    yield from _heldout(params)
    yield from _builtins(params)
    yield from _answers(params)
    yield from _of_the_lab(params)
    yield from _knobs_of_samplers(params)
    yield from _knobs_of_scorers(params)
    yield from _qualities(params)
    yield from _rounds(params)
    if params.train.liger and not liger_is_installed():
        yield f"train.liger: {NOT_INSTALLED}"


def selections_of(params: Params) -> Iterator[tuple[str, str, Selection]]:
    """Every selection with its table: (table, name, selection)."""
    for table in SELECTIONS:
        for key, item in getattr(params, table).items():
            yield table, key, item


def _systems(table: str) -> Mapping[str, Callable[..., Any]]:
    """What a table's ``sampler`` may be."""
    from harness.round_systems import ROUND_SYSTEMS
    from harness.samplers import SAMPLERS

    return ROUND_SYSTEMS if table == "selections_rounds" else SAMPLERS


def _names(params: Params) -> Iterator[str]:
    from harness.models.template import TEMPLATES
    from harness.scorers import SCORERS
    from harness.suites import SUITES

    used: list[tuple[str, str, Iterable[str], str]]
    used = [
        (f"scorers.{key}.scorer", item.scorer, SCORERS, "scorer")
        for key, item in params.scorers.items()
    ]
    used += [
        (f"{table}.{key}.sampler", item.sampler, _systems(table), "sampler")
        for table, key, item in selections_of(params)
    ]
    used.append(("evaluate.suite", params.evaluate.suite, SUITES, "suite"))
    name = params.defaults.embedding
    used.append(("defaults.embedding", name, params.every_embedding, "embedding"))
    used.append(("template", params.template, TEMPLATES, "template"))
    for where, name, table, kind in used:
        if name not in list(table):
            yield f"{where}: no {kind} is called {name!r}{nearest(name, table)}"


def _heldout(params: Params) -> Iterator[str]:
    """Bits per byte are measured on rows that `prepare` must hold out."""
    from harness.suites import SUITES, load_suite

    if params.evaluate.suite not in SUITES:
        return
    held = [part.name for part in params.prepare.heldout]
    for column in load_suite(params.evaluate.suite).columns:
        missing = [name for name in column.sources or [] if name not in held]
        if column.kind == "bits_per_byte" and (missing or not held):
            wanted = f"the held-out rows {missing[0]!r}" if missing else "held-out rows"
            yield (
                f"evaluate.suite: {params.evaluate.suite} needs {wanted} for its column "
                f"{column.name}; add them to prepare.heldout or choose another suite"
            )
            return


def _builtins(params: Params) -> Iterator[str]:
    """The suite's columns that lm-eval has a task for."""
    from harness.suites import SUITES, load_suite
    from harness.suites.builtin import task_file

    if params.evaluate.suite in SUITES:
        for column in load_suite(params.evaluate.suite).columns:
            if column.builtin is not None:
                try:
                    task_file(column.builtin, f"suite {params.evaluate.suite}: {column.name}")
                except InputError as error:
                    yield str(error)


def _answers(params: Params) -> Iterator[str]:
    """What would be refused only once answers are generated."""
    from harness.suites import SUITES, load_suite

    how, samples = params.evaluate, params.evaluate.code_samples
    if how.backend != "hf" and shutil.which(command := (how.server or ["vllm"])[0]) is None:
        key = "server" if how.server else "backend"
        yield f"evaluate.{key}: {command} is not installed; see docs/suites.md"
    if samples is not None and how.suite in SUITES:
        for column in load_suite(how.suite).columns:
            wanted = re.match(r"pass@(\d+),", column.metric or "")
            if wanted and samples < int(wanted[1]):
                rule = f"{samples} answers give no pass@{wanted[1]} (column {column.name})"
                yield f"evaluate.code_samples: {rule}; say {wanted[1]} or more"


def _of_the_lab(params: Params) -> Iterator[str]:
    """What another pool than the generated one has not: planted truth and the lab's benchmarks."""
    source = params.prepare.sources.get(params.prepare.source)
    if (source.path if source else params.prepare.source) == "lab":
        return
    for key, item in params.references.items():
        if item.rows not in ("none", "full"):
            rule = f"rows {item.rows} needs planted truth, which only `prepare.source: lab` has"
            yield f"references.{key}: {rule}; remove it"
    if params.evaluate.suite == "lab":
        rule = "lab has items of `prepare.source: lab` only"
        yield f"evaluate.suite: {rule}; choose own, or another suite, for {params.prepare.source}"


def _knobs_of_samplers(params: Params) -> Iterator[str]:
    for table, key, item in selections_of(params):
        system = _systems(table).get(item.sampler)
        if system is not None:  # otherwise reported already
            made, where = (item.sampler, system, item.sampler_params), f"{table}.{key}."
            if table == "selections" and (misplaced := OF_SCORED & item.sampler_params.keys()):
                yield f"{where}{min(misplaced)}: move the entry to selections_scored"
                continue
            problems = [*knob_problems(where, *made, type(item).model_fields)]
            yield from problems
            if table == "selections_rounds" and not problems:
                try:
                    system(**item.sampler_params)
                except InputError as error:  # knobs that contradict each other
                    yield f"{table}.{key}.{error}"


def _knobs_of_scorers(params: Params) -> Iterator[str]:
    from harness.scorers import SCORERS

    for key, item in params.scorers.items():
        if item.scorer in SCORERS:
            made = (item.scorer, SCORERS[item.scorer], item.scorer_params)
            yield from knob_problems(f"scorers.{key}.", *made, ["scorer"])


def _qualities(params: Params) -> Iterator[str]:
    for table, key, item in selections_of(params):
        quality = getattr(item, "quality", None)
        if quality is None:
            if item.sampler == "kmq_iterative":
                yield f"{table}.{key}.quality: kmq_iterative draws by one; add it, as in kmq"
            continue
        try:
            columns = [column for _, column in terms(quality)]
        except InputError as error:
            yield f"{table}.{key}.quality: {error}"
            continue
        for column in columns:
            if column not in params.scorers:
                near = nearest(column, params.scorers)
                yield f"{table}.{key}.quality: no scorer is called {column!r}{near}"


def _rounds(params: Params) -> Iterator[str]:
    """Budgets are in rows, as nothing knows beforehand how many rows a budget in tokens buys.

    Answers leave their prompts room: the first generation would fail, after a training.
    """
    for key, item in params.selections_rounds.items():
        new, most = item.sampler_params.get("max_new_tokens"), params.rounds.max_length
        if isinstance(new, int) and new >= most:
            yield (
                f"selections_rounds.{key}.max_new_tokens: {new} leaves a prompt no room in "
                f"rounds.max_length, {most}; ask for fewer"
            )
    if params.budget_unit == "tokens" and params.selections_rounds:
        name = next(iter(params.selections_rounds))
        yield (
            f"budget_unit: tokens, but selections_rounds.{name} takes its budget in rows, round by "
            "round; say budget_unit: rows, or empty selections_rounds"
        )
