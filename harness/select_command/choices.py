"""What the user asked for, checked as far as it can be before any file is read."""

import argparse
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.errors import InputError, nearest, shown
from harness.pools.limits import DEFAULT, Limits
from harness.pools.params import OnBadRow
from harness.samplers import SAMPLERS, needs_of
from harness.select_command.needs import read_knobs

EmbeddingText = Literal["prompt_completion", "prompt"]
AUTO = "auto"
NAME = re.compile(r"[A-Za-z]\w*")


@dataclass(frozen=True)
class Choices:
    """A checked command line.

    Attributes:
        pool: a path or hub id, as typed.
        budget: a number of rows (int), or a share of the pool (float, under 1).
        params: the sampler's knobs that were given.
        quality: what the sampler reads, or None.
        scorers: how each score that is wanted is made: (scorer, its knobs) by name.
        embeddings: the user's own file, or None.
        model: the encoder, as typed; None where no embedding is wanted.
        k: cluster counts to choose from; `auto`; or None where no clusters are wanted.
    """

    pool: str
    split: str
    config: str | None
    on_bad_row: OnBadRow
    limits: Limits
    sampler: str
    budget: int | float
    params: dict[str, Any]
    seed: int
    embeddings: str | None
    model: str | None
    embedding_text: EmbeddingText
    k: tuple[int, ...] | Literal["auto"] | None
    cluster_seed: int
    quality: str | None
    scorers: dict[str, tuple[str, dict[str, Any]]]
    out: Path
    force: bool
    cache: Path


def read_choices(values: argparse.Namespace) -> Choices:
    """Check a command line; InputError names the first option that breaks a rule."""
    for name in ("pool", "sampler", "budget", "out"):
        if getattr(values, name) is None:
            raise InputError(f"--{name} is missing; python -m harness select --help has examples")
    if values.sampler not in SAMPLERS:
        near = nearest(values.sampler, SAMPLERS)
        raise InputError(f"--sampler: no system is called {values.sampler!r}{near}")
    sampler = SAMPLERS[values.sampler]
    params = read_knobs("--param ", values.sampler, sampler, _pairs("--param", values.param))
    needs = needs_of(values.sampler, params)
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
        split=values.split,
        config=values.config,
        on_bad_row=values.on_bad_row,
        limits=_limits(values.limit),
        sampler=values.sampler,
        budget=_budget(values.budget),
        params=params,
        seed=_whole("--seed", values.seed),
        embeddings=values.embeddings,
        model=_model(values, "embeddings" in needs or k is not None),
        embedding_text=values.embedding_text or "prompt_completion",
        k=k,
        cluster_seed=_whole("--cluster-seed", values.cluster_seed),
        quality=values.quality,
        scorers=_scorers(values.score, values.quality),
        out=_path("--out", values.out),
        force=values.force,
        cache=_cache(values.cache),
    )


def _pairs(option: str, texts: list[str]) -> dict[str, str]:
    """`name=value` texts as a dict; a name is given once."""
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not NAME.fullmatch(name):
            raise InputError(f"{option} {shown(text)}: needed: name=value")
        if name in found:
            raise InputError(f"{option} {name}: given twice; give it once")
        found[name] = value
    return found


def _limits(texts: list[str]) -> Limits:
    given = _pairs("--limit", texts)
    known = dict(DEFAULT)
    for name in given:
        if name not in known:
            raise InputError(f"--limit {name}: no such limit{nearest(name, known)}")
    read = {name: _whole(f"--limit {name}", text, least=1) for name, text in given.items()}
    return Limits.model_validate(read)


def _budget(text: str) -> int | float:
    try:
        value = float(text) if re.search(r"[.eE]", text) else int(text)
    except ValueError:
        value = 0
    if (isinstance(value, float) and 0 < value < 1) or (isinstance(value, int) and value >= 1):
        return value
    rule = "needed: a whole number of rows from 1 (600), or a share under 1 (0.1)"
    raise InputError(f"--budget {shown(text)}: {rule}")


def _whole(option: str, text: str, least: int = 0) -> int:
    if not re.fullmatch(r"\d{1,18}", text) or int(text) < least:
        raise InputError(f"{option} {shown(text)}: needed: a whole number from {least}")
    return int(text)


def _cluster_counts(text: str | None, needed: bool) -> tuple[int, ...] | Literal["auto"] | None:
    if text is None:
        return AUTO if needed else None
    if text == AUTO:
        return AUTO
    return tuple(sorted({_whole("--k", part.strip(), least=1) for part in text.split(",")}))


def _model(values: argparse.Namespace, needed: bool) -> str | None:
    """The encoder to embed with; None where the user gives a file, or nothing reads one."""
    if values.embeddings is None:
        text_given = values.embedding_text is not None
        return values.embedding_model or ("minilm" if needed or text_given else None)
    for option in ("embedding_model", "embedding_text"):
        if getattr(values, option) is not None:
            name = option.replace("_", "-")
            raise InputError(f"--{name}: --embeddings is given, so nothing is embedded; leave one")
    return None


def _scorers(texts: list[str], quality: str | None) -> dict[str, tuple[str, dict[str, Any]]]:
    """Scores declared by --score, and those of the quality that need no declaration."""
    from harness.scorers import SCORERS

    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for name, text in _pairs("--score", texts).items():
        if name == "id":
            raise InputError("--score id: the column of ids is called so; give it another name")
        if name == "length" and text != "length":
            told = "the table's mean length is of characters"
            raise InputError(f"--score length: {told}; give this score another name")
        # A comma ends a knob only before the next one: a path may hold commas.
        scorer, *knobs = re.split(r",(?=[A-Za-z]\w*=)", text)
        if scorer not in SCORERS:
            near = nearest(scorer, SCORERS)
            raise InputError(f"--score {name}: no scorer is called {scorer!r}{near}")
        where = f"--score {name}: "
        given = _pairs(where.rstrip(), knobs)
        found[name] = scorer, read_knobs(where, scorer, SCORERS[scorer], given)
    return found | _undeclared(quality, found) if quality is not None else found


def _undeclared(
    quality: str, declared: dict[str, tuple[str, dict[str, Any]]]
) -> dict[str, tuple[str, dict[str, Any]]]:
    """Scores that the quality names by their scorer, which needs nothing told."""
    from harness.quality import terms
    from harness.scorers import SCORERS

    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for _, name in terms(quality):
        if name in declared:
            continue
        if name not in SCORERS:
            near = nearest(name, [*declared, *SCORERS])
            raise InputError(
                f"--quality {quality!r}: no score is called {name!r}{near}; declare it:"
                f" --score {name}=<scorer>,..."
            )
        found[name] = name, read_knobs(f"--score {name}={name},", name, SCORERS[name], {})
    return found


def _path(option: str, text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # ~somebody who is not known here
        raise InputError(f"{option} {shown(text)}: no such home; write the path out") from None


def _cache(given: str | None) -> Path:
    if given is not None:
        return _path("--cache", given)
    home = os.environ.get("XDG_CACHE_HOME")
    # The standard says that a path there which is not absolute is not to be used.
    base = Path(home) if home and Path(home).is_absolute() else _path("--cache", "~/.cache")
    return base / "subset-bench"
