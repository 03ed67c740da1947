"""Lists what is wrong with params.yaml, a line a problem, before anything runs.

Reads the params as DVC does and checks them against the models of `harness.params.params` and the
tables of samplers, scorers, suites and pools. Imports nothing heavy: it takes about a second.
"""

import itertools
import re
from collections.abc import Container, Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.check.models import model_problems
from harness.check.studies import study_problems
from harness.check.tables import SELECTIONS, selections_of, table_problems
from harness.common.errors import InputError, nearest, shown
from harness.common.yaml_files import read_yaml
from harness.launching.launch import config_file
from harness.params.params import STATES, Params, group_seeds, older_form
from harness.training.sharing import share_of

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
TABLES = (*SELECTIONS, "references")
NAMED = ("scorers", *TABLES, "embeddings", "embeddings_states", "base_models", "reward_models")
NAMED += ("further", "studies", "worlds", "world_reports")
MISSING = {
    "k": "begin the entry with `<<: *defaults`, or add k: 1 (the pool as one cluster), a number of "
    "cluster.k, or auto",
    "embedding": "begin the entry with `<<: *defaults`",
    "budget": "begin the entry with `<<: *defaults`",
    "quality": "add one, as quality: sigmoid(reward); without one, put the entry in selections",
}
LONGEST = 2000  # characters of a line
GROUP = re.compile(r"s\d+(_\d+)*")


def check_params(path: Path = Path("params.yaml")) -> list[str]:
    """List the problems of a params file, each one line that names the key and the remedy."""
    try:
        values = read_yaml(path)
    except InputError as error:
        return [str(error)]
    return check_values(values, path.name)


def check_values(values: object, file: str) -> list[str]:
    """The problems of params that were read from a file, whose name begins each line."""
    if not isinstance(values, dict):
        return [f"{file}: not a table of keys; make preset PRESET=lab writes one"]
    if older := older_form(values):
        return [f"{file}: {older}"]
    groups = list(_groups(values))
    try:
        params = Params.model_validate(values)
    except ValidationError as error:
        more = list(_schema_problems(error))
    else:
        more = [*table_problems(params), *_references(params)]
    faulty = {line.partition(":")[0] for line in groups}
    more = [line for line in more if not _follows(line, faulty)]
    problems = [*_names(values), *groups, *more]
    # A name may contain a line break, and a value be as long as the file.
    lines = (shown(line, LONGEST).replace("\n", "\\n") for line in _each_once(problems))
    return [f"{file}: {line}" for line in lines]


def _follows(line: str, faulty: Set[str]) -> bool:
    """Whether a problem only follows from faulty seed groups, given by their keys."""
    key, _, rule = line.partition(": ")
    if faulty and key.startswith("seed_groups"):
        return True
    of = rule.partition(" ")[0]  # the selection that has no subsets for a group
    causes = (key, "seed_groups", *(f"{table}.{of}.more_groups" for table in TABLES))
    return bool(re.fullmatch(r"further\..*\.group", key)) and not faulty.isdisjoint(causes)


def _each_once(problems: list[str]) -> Iterator[str]:
    """The problems, without those that entries inherit from `defaults` or `seed_groups`."""
    shared = ("defaults", "seed_groups")
    inherited = [line.removeprefix(p) for line in problems for p in shared if line.startswith(p)]
    for line in dict.fromkeys(problems):
        if line.startswith(shared) or not line.endswith(tuple(inherited)):
            yield line


def _schema_problems(error: ValidationError) -> Iterator[str]:
    schema = Params.model_json_schema()
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            known = _keys_at(schema, problem["loc"][:-1])
            yield f"{where}: unknown key{nearest(problem['loc'][-1], known)}"
        elif problem["type"] == "missing":
            # Entries, and where the rows are read from, are the user's to name.
            own = problem["loc"][0] in (*NAMED, "prepare")
            key = str(problem["loc"][-1])
            remedy = MISSING.get(key, "add it") if own else "conf/base.yaml has it"
            yield f"{where}: this key is missing; {remedy}"
        elif problem["type"] == "value_error":  # our own rules, whose messages have the value
            message = problem["msg"].removeprefix("Value error, ")
            yield f"{where}: {message}".removeprefix(": ")
        else:
            message = problem["msg"].partition(" after validation")[0]
            # People put the key itself where the name of its variable belongs.
            hidden = where == "judge.key_env"
            value = "the value given" if hidden else shown(repr(problem["input"]), 80)
            yield f"{where}: {message[0].lower()}{message[1:]}, not {value}"


def _keys_at(schema: Mapping[str, Any], loc: tuple[int | str, ...]) -> set[str]:
    """The keys that the JSON schema allows at a place of the params."""
    node = schema
    for part in loc:
        node = _resolved(schema, node)
        own = node.get("properties", {}).get(part)
        node = own or node.get("items") or node.get("additionalProperties") or {}
    return set(_resolved(schema, node).get("properties", {}))


def _resolved(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """A node of the schema, or what it refers to; the first of alternatives."""
    while "$ref" in node or "anyOf" in node:
        name = node.get("$ref", "").rsplit("/", 1)[-1]
        node = schema["$defs"][name] if name else node["anyOf"][0]
    return node


def _names(values: Mapping[str, Any]) -> Iterator[str]:
    """Names are parts of stage names, which DVC joins with ``-``, and of paths."""
    for table in NAMED:
        entries = values.get(table)
        entries = entries if isinstance(entries, dict) else {}
        seen: dict[str, object] = {}
        for name in entries:
            other = seen.setdefault(str(name).lower(), name)
            if other != name:
                rule = f"{other} differs only by case, and is the same file on some machines"
                yield f"{table}.{shown(name, 110)}: {rule}; rename one"
            if (table, name) == ("scorers", "id"):
                yield "scorers.id: the column of ids is called so; give this one another name"
            if not NAME.fullmatch(str(name)):
                yield (
                    f"{table}.{shown(name, 110)}: names hold letters, digits and _ only, start "
                    "with a letter and have at most 100 characters (DVC joins them with -); rename "
                    f"it, say to {_renamed(str(name), entries)!r}"
                )


def _renamed(name: str, taken: Container[object]) -> str:
    """A valid name as similar as possible to the given one, and not taken."""
    made = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")
    made = (made if made[:1].isalpha() else f"s_{made}")[:90].strip("_")
    numbers = (f"{made}_{i}" for i in itertools.count(2))
    return next(new for new in itertools.chain([made], numbers) if new not in taken)


def _groups(values: Mapping[str, Any]) -> Iterator[str]:
    """A seed group is a string: YAML reads an unquoted 0_1_2 as the number 12."""
    for key, groups in _group_lists(values):
        seen: dict[int, str] = {}
        for group in groups:
            if not isinstance(group, str) or not GROUP.fullmatch(group):
                yield (
                    f"{key}: {group!r} is not a seed group; write s and the seeds joined by _, as "
                    "in s0_1_2 (an unquoted 0_1_2 is the number 12 to YAML)"
                )
                continue
            for seed in group_seeds(group):
                if seed in seen:
                    taken = f"seed {seed} is in {seen[seed]} already"
                    yield f"{key}: {group}: {taken}; give each seed to one group, once"
                if seed >= 2**32:
                    yield f"{key}: {group}: seed {seed} is too large; the most is {2**32 - 1}"
                seen[seed] = group


def _group_lists(values: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """The lists of groups in which no two may share a seed."""
    main = values.get("seed_groups")
    main = main if isinstance(main, list) else []
    yield "seed_groups", main
    for table in TABLES:
        entries = values.get(table)
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            more = entry.get("more_groups") if isinstance(entry, dict) else None
            if isinstance(more, list):
                # Those of the main table are reported once.
                known = [group for group in main if isinstance(group, str)]
                yield f"{table}.{name}.more_groups", [*filter(GROUP.fullmatch, known), *more]
    entries = values.get("further")
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        if isinstance(entry, dict) and "group" in entry:
            yield f"further.{name}.group", [entry["group"]]


def _references(params: Params) -> Iterator[str]:
    """Checks of what one part of the params says of another."""
    yield from _one_name_each(params)
    yield from _embeddings(params)
    for table, key, item in selections_of(params):
        if item.embedding not in params.every_embedding:
            near = nearest(item.embedding, params.every_embedding)
            yield f"{table}.{key}.embedding: none is called {item.embedding!r}{near}"
        if item.k != "auto" and item.k not in params.cluster.k:
            yield f"{table}.{key}.k: {item.k} is not in cluster.k {params.cluster.k}; add it"
        if item.k == "auto" and max(params.cluster.k, default=1) == 1:
            yield f"{table}.{key}.k: auto picks among cluster.k {params.cluster.k}; add one over 1"
    for table in TABLES:
        for key, item in getattr(params, table).items():
            groups = [*params.seed_groups, *item.more_groups]
            seeds = {s for group in groups if GROUP.fullmatch(group) for s in group_seeds(group)}
            for seed in sorted(set(item.seeds or ()) - seeds):
                yield (
                    f"{table}.{key}.seeds: {seed} is in none of its groups; add it to seed_groups "
                    "or to its more_groups"
                )
    yield from model_problems(params)
    yield from _launcher(params)
    yield from _report(params)
    yield from study_problems(params)


def _embeddings(params: Params) -> Iterator[str]:
    """Of the two tables, that of the base model's states waits for that model."""
    for table, right in (("embeddings", False), ("embeddings_states", True)):
        for name, item in getattr(params, table).items():
            if (item.model == STATES) != right:
                other = "embeddings_states" if item.model == STATES else "embeddings"
                yield f"{table}.{name}: model: {item.model} is of the table {other}; move it there"
    for name in params.embeddings.keys() & params.embeddings_states.keys():
        yield f"embeddings_states.{name}: an entry of embeddings has this name; rename one"


def _launcher(params: Params) -> Iterator[str]:
    if params.train.launcher is not None:
        try:
            config_file("train", params.train.launcher)
            share_of(params.train, params.train.processes or 1)
        except InputError as error:
            yield str(error)


def _report(params: Params) -> Iterator[str]:
    for name in params.report.baselines:
        if name not in params.every_selection:
            near = nearest(name, params.every_selection)
            yield f"report.baselines: no selection is called {name!r}{near}"
        if params.report.baselines.count(name) > 1:
            yield f"report.baselines: {name} is listed twice; remove one"
    for name in params.report.metrics or ():
        if name not in params.table:
            yield f"report.metrics: {name!r} is no row of `table`{nearest(name, params.table)}"
    for name in dict.fromkeys(metrics := params.report.metrics or []):
        if metrics.count(name) > 1:
            yield f"report.metrics: {name} is listed twice; remove one"


def _one_name_each(params: Params) -> Iterator[str]:
    seen: dict[str, str] = {}
    for table in TABLES:
        for name in getattr(params, table):
            if name == "table":
                yield f"{table}.table: in MLflow a study's table is called so; rename it"
            other = seen.setdefault(name.lower(), f"{table}.{name}")
            if other == f"{table}.{name}" or other.startswith(f"{table}."):
                continue  # within one table, `_names` has said so
            if other.endswith(f".{name}"):
                yield f"{table}.{name}: {other.partition('.')[0]} has this name too; rename one"
            else:
                yield f"{table}.{name}: {other} differs only by case; rename one"
