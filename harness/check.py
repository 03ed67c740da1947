"""What is wrong with params.yaml, one line a problem, found before anything runs.

Reads the params as DVC does, against the typed models of `harness.params` and the tables of
samplers, scorers, suites and pools. Imports nothing heavy: it answers in about a second.
"""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness.check_studies import study_problems
from harness.errors import InputError, nearest
from harness.params import Params, group_seeds, read_yaml

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
GROUP = re.compile(r"s\d+(_\d+)*")


def check_params(path: Path = Path("params.yaml")) -> list[str]:
    """List the problems of a params file, each one line that names the key and the remedy."""
    try:
        values = read_yaml(path)
    except InputError as error:
        return [str(error)]
    if not isinstance(values, dict):
        return [f"{path.name}: holds no table of keys; make preset PRESET=lab writes one that does"]
    try:
        problems = [*_names(values), *_groups(values), *_yaml_traps(path, values)]
    except RecursionError:
        return [f"{path.name}: an anchor (&) holds itself (*); write its values out"]
    try:
        params = Params.model_validate(values)
    except ValidationError as error:
        # A group that is no string is told above, with the reason.
        told = _schema_problems(error)
        problems += [line for line in told if not (problems and line.startswith("groups."))]
    else:
        problems += [*_tables(params), *_sampler_params(params), *_references(params)]
    return [f"{path.name}: {line}" for line in dict.fromkeys(problems)]


def _schema_problems(error: ValidationError) -> Iterator[str]:
    schema = Params.model_json_schema()
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            known = _keys_at(schema, problem["loc"][:-1])
            yield f"{where}: unknown key{nearest(problem['loc'][-1], known)}"
        elif problem["type"] == "missing":
            yield f"{where}: this key is missing; conf/lab.yaml has every key"
        elif problem["type"] == "value_error":  # our own rules; they say what they found
            message = problem["msg"].removeprefix("Value error, ")
            yield f"{where}: {message}".removeprefix(": ")
        else:
            message = problem["msg"]
            yield f"{where}: {message[0].lower()}{message[1:]}, not {problem['input']!r:.80}"


def _keys_at(schema: Mapping[str, Any], loc: tuple[int | str, ...]) -> set[str]:
    """The keys that the JSON schema allows at a place of the params."""
    nodes = [schema]
    for part in loc:
        nodes = [child for node in _resolved(schema, nodes) for child in _children(node, part)]
    return {key for node in _resolved(schema, nodes) for key in node.get("properties", {})}


def _resolved(schema: Mapping[str, Any], nodes: list[Any]) -> Iterator[Mapping[str, Any]]:
    for node in nodes:
        if "$ref" in node:
            yield from _resolved(schema, [schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]])
        elif "anyOf" in node or "oneOf" in node:
            yield from _resolved(schema, node.get("anyOf") or node["oneOf"])
        else:
            yield node


def _children(node: Mapping[str, Any], part: int | str) -> Iterator[Any]:
    if part in node.get("properties", {}):
        yield node["properties"][part]
    elif isinstance(part, int) and isinstance(node.get("items"), dict):
        yield node["items"]
    elif isinstance(node.get("additionalProperties"), dict):
        yield node["additionalProperties"]


def _names(values: Mapping[str, Any]) -> Iterator[str]:
    """Names become parts of stage names and paths, which DVC joins with ``-``."""
    for table in ("selections", "references", "embeddings", "studies"):
        entries = values.get(table)
        for name in entries if isinstance(entries, dict) else ():
            if not NAME.fullmatch(str(name)):
                remedy = str(name).replace("-", "_")
                yield (
                    f"{table}.{name}: names hold letters, digits and _ only, start with a letter "
                    f"and have 100 signs at most (DVC joins them with -); rename it, say to "
                    f"{remedy[:100]!r}"
                )


def _groups(values: Mapping[str, Any]) -> Iterator[str]:
    """A seed group is a string: YAML reads an unquoted 0_1_2 as the number 12."""
    seen: dict[int, str] = {}
    for key, groups in _group_lists(values):
        for group in groups:
            if not isinstance(group, str) or not GROUP.fullmatch(group):
                yield (
                    f"{key}: {group!r} is no seed group; write s and the seeds joined by _, as in "
                    "s0_1_2 (an unquoted 0_1_2 is the number 12 to YAML)"
                )
                continue
            for seed in group_seeds(group):
                if seed in seen:
                    told = f"seed {seed} is in {seen[seed]} already"
                    yield f"{key}: {group}: {told}; give each seed to one group, once"
                if seed >= 2**32:
                    yield f"{key}: {group}: seed {seed} is too large; the most is {2**32 - 1}"
                seen[seed] = group


def _group_lists(values: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    groups = values.get("groups")
    for key, entry in groups.items() if isinstance(groups, dict) else ():
        if isinstance(entry, list):
            yield f"groups.{key}", entry


def _yaml_traps(path: Path, values: object) -> Iterator[str]:
    """Scalars that YAML 1.1 readers (PyYAML) take for something else than DVC's YAML 1.2."""
    import yaml

    other = yaml.safe_load(path.read_text(encoding="utf-8"))
    for where, ours, theirs in _differing(values, other, ""):
        # 1e-3 is a number to DVC and to us, text to PyYAML: harmless, as nothing reads it so.
        if isinstance(ours, float) and isinstance(theirs, str):
            continue
        yield f"{where}: read as {ours!r} by DVC and as {theirs!r} by other readers; quote it"


def _differing(ours: object, theirs: object, where: str) -> Iterator[tuple[str, object, object]]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for mine, yours in zip(ours.items(), theirs.items(), strict=True):
            if mine[0] != yours[0]:
                yield f"{where}{mine[0]}", mine[0], yours[0]
            yield from _differing(mine[1], yours[1], f"{where}{mine[0]}.")
    elif isinstance(ours, list) and isinstance(theirs, list):
        for i, (mine, yours) in enumerate(zip(ours, theirs, strict=True)):
            yield from _differing(mine, yours, f"{where}{i}.")
    elif type(ours) is not type(theirs) or ours != theirs:
        yield where.rstrip("."), ours, theirs


def _tables(params: Params) -> Iterator[str]:
    from harness.samplers import SAMPLERS
    from harness.scorers import SCORERS
    from harness.suites import SUITES
    from harness.template import TEMPLATES

    used: list[tuple[str, str, Iterable[str], str]]
    used = [(f"scorers.{i}", name, SCORERS, "scorer") for i, name in enumerate(params.scorers)]
    used += [
        (f"selections.{key}.sampler", item.sampler, SAMPLERS, "sampler")
        for key, item in params.selections.items()
    ]
    yield from _heldout(params)
    used.append(("evaluate.suite", params.evaluate.suite, SUITES, "suite"))
    used.append(("embedding", params.embedding, params.embeddings, "embedding"))
    used.append(("template", params.template, TEMPLATES, "template"))
    for where, name, table, kind in used:
        if name not in list(table):
            yield f"{where}: no {kind} is called {name!r}{nearest(name, table)}"


def _heldout(params: Params) -> Iterator[str]:
    """Bits per byte are measured on held-out rows, which `prepare` has to hold out."""
    from harness.suites import SUITES, load_suite

    if params.evaluate.suite not in SUITES:
        return
    held = [part.name for part in params.prepare.heldout]
    for column in load_suite(params.evaluate.suite).columns:
        lacking = [name for name in column.sources or [] if name not in held]
        if column.kind == "bits_per_byte" and (lacking or not held):
            wanted = f"the held-out rows {lacking[0]!r}" if lacking else "held-out rows"
            yield (
                f"evaluate.suite: {params.evaluate.suite} needs {wanted} for its column "
                f"{column.name}; add them to prepare.heldout or choose another suite"
            )
            return


def _sampler_params(params: Params) -> Iterator[str]:
    """Keys of a selection against the keyword-only arguments of its sampler, values by type."""
    from harness.samplers import SAMPLERS

    for key, item in params.selections.items():
        sampler = SAMPLERS.get(item.sampler)
        if sampler is None:
            continue
        arguments = inspect.signature(sampler).parameters.values()
        knobs = {a.name: a for a in arguments if a.kind is a.KEYWORD_ONLY}
        for name, value in item.sampler_params.items():
            where = f"selections.{key}.{name}"
            if name not in knobs:
                known = [*type(item).model_fields, *knobs]
                yield f"{where}: {item.sampler} takes no such param{nearest(name, known)}"
                continue
            try:
                TypeAdapter(knobs[name].annotation).validate_python(value, strict=True)
            except ValidationError as error:
                yield f"{where}: {error.errors()[0]['msg'].lower()}, not {value!r}"
        for name, knob in knobs.items():
            if knob.default is knob.empty and name not in item.sampler_params:
                yield f"selections.{key}.{name}: {item.sampler} needs it; add this key"


def _references(params: Params) -> Iterator[str]:
    """What one part of the params says of another."""
    for name in params.selections.keys() & params.references.keys():
        yield f"references.{name}: selections has this name too; rename one"
    for key, item in params.selections.items():
        if item.k not in params.cluster.k:
            yield f"selections.{key}.k: {item.k} is not in cluster.k {params.cluster.k}; add it"
    groups = [group for group in params.all_groups() if GROUP.fullmatch(group)]
    seeds = {seed for group in groups for seed in group_seeds(group)}
    for table in ("selections", "references"):
        for key, item in getattr(params, table).items():
            for seed in sorted(set(item.seeds or ()) - seeds):
                yield f"{table}.{key}.seeds: {seed} is in no group of `groups`; add it there"
    yield from study_problems(params)
