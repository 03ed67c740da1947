"""The command line's options, checked as far as possible before any file is read."""

import argparse
import inspect
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.common.errors import InputError, nearest, shown
from harness.common.locations import split_revision
from harness.params.knobs import find_entry, knob_problems, knobs_of, read_value
from harness.params.limits import DEFAULT, Limits
from harness.params.params import EmbeddingParams, ScorerParams
from harness.params.source import OnBadRow, Source
from harness.round_systems import ROUND_SYSTEMS
from harness.samplers import SAMPLERS
from harness.scorers import SCORERS
from harness.selecting.quality import terms

NAME = re.compile(r"[A-Za-z]\w*")


@dataclass(frozen=True)
class Choices:
    """A checked command line."""

    pool: str  # a path or hub id, as typed
    source: Source  # the same, parsed
    on_bad_row: OnBadRow
    sampler: str
    budget: int | float  # a number of rows, or a share of the pool (under 1)
    params: dict[str, Any]  # the sampler's knobs that were given
    seed: int
    embeddings: str | None  # the user's own file
    embedding: EmbeddingParams | None  # how to make one, if needed and the user gives none
    k: tuple[int, ...] | Literal["auto"] | None  # counts to choose from; None: no clusters needed
    cluster_seed: int
    quality: str | None  # the expression that the sampler reads
    keep_best: float | None  # share of the pool, the best by quality, to choose among
    scorers: dict[str, ScorerParams]  # how to make each score
    out: Path
    force: bool
    cache: Path


def read_choices(values: argparse.Namespace) -> Choices:
    """Check a command line; InputError names the first option that breaks a rule."""
    for name in ("pool", "sampler", "budget", "out"):
        if getattr(values, name) is None:
            raise InputError(f"--{name} is missing; python -m harness select --help has examples")
    if values.sampler in ROUND_SYSTEMS:
        rule = "trains models to choose by, which only the pipeline does (docs/rounds.md)"
        raise InputError(f"--sampler {values.sampler}: {rule}")
    sampler = find_entry(SAMPLERS, values.sampler, "--sampler", "system")
    params = read_knobs("--param ", values.sampler, sampler, _pairs("--param", values.param))
    needs = sampler.needs_with(params)
    if "quality" in needs and values.quality is None:
        raise InputError(
            f"--sampler {values.sampler} reads quality: give --quality length, or --quality"
            " 'sigmoid(reward)' with --score reward=reward_model,model=<folder or hub id>"
        )
    k = _cluster_counts(values.k, "clusters" in needs)
    if values.embeddings is not None:
        _path("--embeddings", values.embeddings)
    return Choices(
        pool=values.pool,
        source=_source(values),
        on_bad_row=values.on_bad_row,
        sampler=values.sampler,
        budget=_budget(values.budget),
        params=params,
        seed=_whole("--seed", values.seed),
        embeddings=values.embeddings,
        embedding=_embedding(values, "embeddings" in needs or k is not None),
        k=k,
        cluster_seed=_whole("--cluster-seed", values.cluster_seed),
        quality=values.quality,
        keep_best=_keep_best(values.keep_best, values.quality),
        scorers=_scorers(values.score, values.quality),
        out=_path("--out", values.out),
        force=values.force,
        cache=_cache(values.cache),
    )


def read_knobs(
    where: str, name: str, function: Callable[..., Any], given: Mapping[str, str]
) -> dict[str, Any]:
    """Parse texts as values of the function's knobs.

    Raises InputError, prefixed by ``where``, for an unknown knob, a value of the wrong type and a
    missing required knob.
    """
    knobs = knobs_of(function)
    values = {k: _value(knobs[k], text) if k in knobs else text for k, text in given.items()}
    for problem in knob_problems(where, name, function, values, remedy="give {key}=..."):
        raise InputError(problem)
    return values


def _value(knob: inspect.Parameter, text: str) -> Any:  # noqa: ANN401  (as the knob says)
    """Parse a text; it stays text where the knob takes text that looks like a number."""
    try:
        read = json.loads(text.lower() if text in ("True", "False") else text)
    except ValueError:
        return text
    value, rule = read_value(knob, read)
    return text if rule and not read_value(knob, text)[1] else value


def _pairs(option: str, texts: list[str]) -> dict[str, str]:
    """Parse `name=value` texts; InputError for a name given twice."""
    pairs: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not NAME.fullmatch(name):
            raise InputError(f"{option} {shown(text)}: needed: name=value")
        if name in pairs:
            raise InputError(f"{option} {name}: given twice; give it once")
        pairs[name] = value
    return pairs


def _source(values: argparse.Namespace) -> Source:
    if values.pool == "lab":
        raise InputError("--pool lab: the generated pool is the pipeline's; give a file or hub id")
    limits, known = _pairs("--limit", values.limit), dict(DEFAULT)
    for name in limits:
        if name not in known:
            raise InputError(f"--limit {name}: no such limit{nearest(name, known)}")
    path, revision = split_revision(values.pool)
    return Source(
        path=path,
        revision=revision,
        split=values.split,
        config=values.config,
        limits=Limits(**{n: _whole(f"--limit {n}", text, 1) for n, text in limits.items()}),
    )


def _budget(text: str) -> int | float:
    try:
        value = float(text) if re.search(r"[.eE]", text) else int(text)
    except ValueError:
        value = 0
    if (isinstance(value, float) and 0 < value < 1) or (isinstance(value, int) and value >= 1):
        return value
    rule = "needed: a whole number of rows from 1 (600), or a share under 1 (0.1)"
    raise InputError(f"--budget {shown(text)}: {rule}")


def _keep_best(text: str | None, quality: str | None) -> float | None:
    if text is None:
        return None
    if quality is None:
        raise InputError("--keep-best ranks rows by quality: give --quality, too")
    if not re.fullmatch(r"0?\.\d{1,18}", text) or not float(text):
        rule = "needed: a share of the pool between 0 and 1, as 0.5"
        raise InputError(f"--keep-best {shown(text)}: {rule}")
    return float(text)


def _whole(option: str, text: str, least: int = 0) -> int:
    if not re.fullmatch(r"\d{1,18}", text) or int(text) < least:
        raise InputError(f"{option} {shown(text)}: needed: a whole number from {least}")
    return int(text)


def _cluster_counts(text: str | None, needed: bool) -> tuple[int, ...] | Literal["auto"] | None:
    if text in (None, "auto"):
        return "auto" if text or needed else None
    return tuple(sorted({_whole("--k", part.strip(), 1) for part in str(text).split(",")}))


def _embedding(values: argparse.Namespace, needed: bool) -> EmbeddingParams | None:
    model, text = values.embedding_model, values.embedding_text
    if values.embeddings is not None and (model or text):
        name = "embedding-model" if model else "embedding-text"
        raise InputError(f"--{name}: --embeddings is given, so nothing is embedded; leave one")
    if values.embeddings is not None or not (needed or model or text):
        return None
    model = model or "minilm"
    name, _, revision = (model, "", "") if Path(model).is_dir() else model.partition("@")
    given = {"model": name, "revision": revision or None, "text": text or "prompt_completion"}
    return EmbeddingParams.model_validate(given)


def _scorers(texts: list[str], quality: str | None) -> dict[str, ScorerParams]:
    """Scores declared by --score, and scorers that --quality names directly."""
    scorers: dict[str, ScorerParams] = {}
    for name, text in _pairs("--score", texts).items():
        if name == "id":
            raise InputError("--score id: the column of ids is called so; give it another name")
        if name == "length" and text != "length":
            reason = "the table's mean length is of characters"
            raise InputError(f"--score length: {reason}; give this score another name")
        # A comma ends a knob only before the next one: a path may hold commas.
        scorer, *knobs = re.split(r",(?=[A-Za-z]\w*=)", text)
        find_entry(SCORERS, scorer, f"--score {name}", "scorer")
        scorers[name] = _scorer(f"--score {name}: ", scorer, _pairs(f"--score {name}:", knobs))
    for _, name in terms(quality) if quality is not None else []:
        if name in scorers:
            continue
        if name not in SCORERS:
            near = nearest(name, [*scorers, *SCORERS])
            raise InputError(
                f"--quality {quality!r}: no score is called {name!r}{near}; declare it:"
                f" --score {name}=<scorer>,..."
            )
        scorers[name] = _scorer(f"--score {name}={name},", name, {})
    return scorers


def _scorer(where: str, scorer: str, given: Mapping[str, str]) -> ScorerParams:
    knobs = read_knobs(where, scorer, SCORERS[scorer], given)
    return ScorerParams.model_validate({"scorer": scorer, **knobs})


def _path(option: str, text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # ~user without an account here
        raise InputError(f"{option} {shown(text)}: no such home; write the path out") from None


def _cache(given: str | None) -> Path:
    if given is not None:
        return _path("--cache", given)
    home = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG standard ignores a relative path.
    base = Path(home) if Path(home).is_absolute() else _path("--cache", "~/.cache")
    return base / "subset-bench"
