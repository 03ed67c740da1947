"""Cuts the pool's source, and others, into parts by seed; a row goes to one part only."""

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from harness.common.errors import InputError
from harness.params.prepare import FROM_POOL, Part, PrepareParams, Source
from harness.pools.instances import Instance, Instances, read_instances
from harness.pools.raw_rows import Loaded
from harness.pools.rendering import Check
from harness.pools.sources import load

if TYPE_CHECKING:
    from harness.params.lab import LabParams

T = TypeVar("T")


def draw(rows: Sequence[T], part: Part, of: int, seed: int, stream: str) -> list[T]:
    """A part's rows, by lot or from the top, in their old order; a share is one of ``of`` rows.

    Each ``stream`` has its own random numbers: adding a part moves no other's rows.
    """
    size = len(rows)
    if isinstance(part.rows, float):
        size = min(max(round(part.rows * of), part.at_least), part.at_most or of)
    elif part.rows != "all":
        size = part.rows
    if size > len(rows):
        rule = f"{part.name}: {size} rows are wanted of {part.source}, which has {len(rows)}"
        raise InputError(f"{rule} to give; ask for fewer")
    if part.take == "first":
        return list(rows[:size])
    rng = np.random.default_rng([seed, zlib.crc32(stream.encode())])
    return [rows[i] for i in np.sort(rng.permutation(len(rows))[:size])]


class Cutter:
    """Holds the pool while parts are cut from it and from other sources, read once each."""

    def __init__(
        self, params: PrepareParams, lab: "LabParams | None", check: Check | None = None
    ) -> None:
        """Read the pool's source and draw its rows."""
        self.params, self.lab, self.check = params, lab, check
        # Other sources are the base model's text, which no template is put around.
        self.rendered = {params.source, *(part.source for part in params.heldout)}
        self.card: dict[str, Any] = {}
        self._read: dict[str, list[Instance]] = {}
        self.loaded, found = self._load(params.source)
        if params.source_sha256 not in (None, self.loaded.card.get("sha256")):
            rule = "the file is not the one that prepare.source_sha256 names"
            raise InputError(f"{params.source}: {rule}; make repro takes up the file as it is now")
        if len(found) < params.min_rows:
            rule = f"good rows: {len(found)}, wanted: {params.min_rows} or more (prepare.min_rows)"
            raise InputError(f"{params.source}: {rule}; give a larger pool")
        whole = Part(name=FROM_POOL, source=params.source, rows=params.rows)
        self.pool = draw(found, whole, len(found), params.seed, FROM_POOL)
        self.size = len(self.pool)
        path = params.find_source(params.source).path
        # A row is the same row by its file and number, whatever name the source goes by.
        self.taken = {(path, i.row) for i in self.pool}

    def cut(self, part: Part, kind: str) -> list[Instance]:
        """Take a part out: of the pool, or of those rows of a source that are nobody's yet."""
        stream = f"{kind}/{part.name}"
        if part.source == FROM_POOL:
            rows = draw(self.pool, part, self.size, self.params.seed, stream)
            gone = {i.row for i in rows}
            self.pool = [i for i in self.pool if i.row not in gone]
            return rows
        if part.source not in self._read:
            self._load(part.source)
        path = self.params.find_source(part.source).path
        free = [i for i in self._read[part.source] if (path, i.row) not in self.taken]
        rows = draw(free, part, len(free), self.params.seed, stream)
        self.taken |= {(path, i.row) for i in rows}
        return rows

    def _load(self, name: str) -> tuple[Loaded, list[Instance]]:
        source = self.params.find_source(name)
        loaded = load(source, self.lab)
        bad = source.on_bad_row or self.params.on_bad_row
        check = self.check if name in self.rendered else None
        found = read_instances(loaded, source.where, bad, check)
        self.card[name] = _source_card(source, loaded, found)
        self._read[name] = found.kept
        return loaded, found.kept


def _source_card(source: Source, loaded: Loaded, found: Instances) -> dict[str, Any]:
    where = {"where": source.where} if source.where else {}
    return {
        "path": source.path,
        "licence": source.licence,
        **where,
        **loaded.card,
        **found.counts(),
    }
