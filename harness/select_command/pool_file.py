"""The user's pool: its rows as the samplers see them, and the file they stand in."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import InputError
from harness.pools.hub import open_dataset
from harness.pools.instances import read_instances, to_frame
from harness.pools.params import Source
from harness.pools.places import kind_of, locate, split_revision
from harness.pools.rendering import Check, renders
from harness.pools.sources import load, source_hash
from harness.select_command.choices import Choices
from harness.select_command.records import (
    Form,
    ending,
    sink,
    write_json_records,
    write_records,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class UserPool:
    """A pool that was read.

    Attributes:
        source: where its rows are.
        frame: the columns of data/pool.parquet, one row an instance; ``row`` counts from 1.
        format: how its rows are written, a key of harness.pools.formats.FORMATS.
        dropped: rows left out by rule.
        left_out: fields that no system looks at, and how many rows have them.
        card: SHA-256 of a file or folder, or the revision of a hub id.
    """

    source: Source
    frame: "pd.DataFrame"
    format: str
    dropped: dict[str, int]
    left_out: dict[str, int]
    card: dict[str, Any]


def read_pool(choices: Choices) -> UserPool:
    """Read and check the pool; InputError as the pipeline tells it, in the options' words."""
    if kind_of(choices.pool) == "lab":
        raise InputError("--pool lab: the generated pool is the pipeline's; give a file or hub id")
    path, revision = split_revision(choices.pool)
    source = Source(
        path=path,
        revision=revision,
        split=choices.split,
        config=choices.config,
        limits=choices.limits,
    )
    try:
        loaded = load(source)
        found = read_instances(loaded, {}, choices.on_bad_row, _check(choices))
    except InputError as error:
        told = str(error).replace("set on_bad_row: drop", "give --on-bad-row drop")
        told = told.replace("prepare.limits.", "--limit ")
        raise InputError(told.replace("on_bad_row: drop", "--on-bad-row drop")) from None
    frame = to_frame(found.kept)
    dropped = dict(sorted(found.dropped.items()))
    return UserPool(source, frame, found.format, dropped, found.left_out, loaded.card)


def _check(choices: Choices) -> Check | None:
    """That the models of the scores render each row: found before the first of them runs."""
    if not choices.scorers:
        return None
    from harness.scorers.columns import rendering_tokenizer

    made = [rendering_tokenizer(scorer, knobs) for scorer, knobs in choices.scorers.values()]
    return renders(*(tokenizer for tokenizer in made if tokenizer is not None))


def write_rows(pool: UserPool, picks: Sequence[int], form: Form, out: Path, target: Path) -> None:
    """Write the records of instances, in the order given, to ``target``; ``out`` is its name.

    InputError where the pool's file has changed since it was read.
    """
    _check_unchanged(pool)
    rows = [int(pool.frame["row"].iloc[pick]) for pick in picks]
    zipped = ending(out)[1]
    if kind_of(pool.source.path) == "file":
        write_records(locate(pool.source.path), rows, form, target, zipped)
        return
    with target.open("wb") as raw, sink(raw, zipped) as stream:
        chosen = _dataset(pool).select([row - 1 for row in rows])
        if form == "parquet":
            chosen.to_parquet(stream)
        else:
            write_json_records([_as_json(row, out) for row in chosen], form, stream)


def _dataset(pool: UserPool) -> Any:  # noqa: ANN401  (datasets.Dataset, imported lazily)
    """The dataset of a folder or hub id, at the commit that was read."""
    from huggingface_hub import constants

    path = pool.source.path
    if kind_of(path) == "folder":
        return open_dataset(str(locate(path)), pool.source, None)
    commit = None if constants.is_offline_mode() else pool.card["revision"]
    return open_dataset(path, pool.source, commit)


def _as_json(row: object, out: Path) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False).encode()
    except TypeError as error:
        raise InputError(f"--out {out}: a row is no JSON ({error}); name it .parquet") from None


def _check_unchanged(pool: UserPool) -> None:
    """Raise InputError where the file is no longer the one that was read."""
    if pool.card.get("sha256") != source_hash(pool.source.path):
        raise InputError(f"{pool.source.path}: changed while rows were chosen; run it again")
