"""Cuts the pool's source, and others, into parts by seed; a row goes to one part only."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from harness.common.errors import InputError
from harness.lab.randomness import stream
from harness.params.prepare import FROM_POOL, Part, PrepareParams
from harness.pools.instances import Instance, read_instances
from harness.pools.raw_rows import Loaded
from harness.pools.rendering import Check
from harness.pools.sources import load

if TYPE_CHECKING:
    from harness.params.lab import LabParams

T = TypeVar("T")


def draw(rows: Sequence[T], part: Part, of: int, seed: int, name: str) -> list[T]:
    """A part's rows, drawn or from the top, in their old order; a share is a share of ``of`` rows.

    Each ``name`` has its own random stream: adding a part moves no other's rows.
    """
    size = len(rows)
    if isinstance(part.rows, float):
        size = min(max(round(part.rows * of), part.at_least), part.at_most or of)
    elif part.rows != "all":
        size = part.rows
    if size > len(rows):
        rule = f"{size} rows are to be taken from {part.source}, which has {len(rows)} left"
        raise InputError(f"{part.name}: {rule}; ask for fewer")
    if part.take == "first":
        return list(rows[:size])
    chosen = stream(seed, name).permutation(len(rows))[:size]
    return [rows[i] for i in np.sort(chosen)]


class Cutter:
    """Holds the pool while parts are cut from it and from other sources, read once each."""

    def __init__(
        self, params: PrepareParams, lab: "LabParams | None", check: Check | None = None
    ) -> None:
        self.params, self.lab, self.check = params, lab, check
        # Other sources are pretraining text, which no template renders.
        self.rendered = {params.source, *(part.source for part in params.heldout)}
        self.card: dict[str, Any] = {}
        self._read: dict[str, list[Instance]] = {}
        self.loaded, rows = self._load(params.source)
        if params.source_sha256 not in (None, self.loaded.card.get("sha256")):
            rule = "the file is not the one that prepare.source_sha256 names"
            raise InputError(f"{params.source}: {rule}; make repro uses the file as it is now")
        if len(rows) < params.min_rows:
            rule = f"valid rows: {len(rows)}, needed: {params.min_rows} (prepare.min_rows)"
            raise InputError(f"{params.source}: {rule}; give a larger pool")
        whole = Part(name=FROM_POOL, source=params.source, rows=params.rows)
        self.pool = draw(rows, whole, len(rows), params.seed, FROM_POOL)
        self.size = len(self.pool)
        path = params.find_source(params.source).path
        # A row is identified by its file and number: one file may have several source names.
        self.taken = {(path, i.row) for i in self.pool}

    def cut(self, part: Part, kind: str) -> list[Instance]:
        """Take a part out of the pool, or out of the rows of a source that no part has yet."""
        name = f"{kind}/{part.name}"
        if part.source == FROM_POOL:
            rows = draw(self.pool, part, self.size, self.params.seed, name)
            taken = {i.row for i in rows}
            self.pool = [i for i in self.pool if i.row not in taken]
            return rows
        if part.source not in self._read:
            self._load(part.source)
        path = self.params.find_source(part.source).path
        free = [i for i in self._read[part.source] if (path, i.row) not in self.taken]
        rows = draw(free, part, len(free), self.params.seed, name)
        self.taken |= {(path, i.row) for i in rows}
        return rows

    def _load(self, name: str) -> tuple[Loaded, list[Instance]]:
        source = self.params.find_source(name)
        loaded = load(source, self.lab)
        bad = source.on_bad_row or self.params.on_bad_row
        check = self.check if name in self.rendered else None
        made = read_instances(loaded, source.where, bad, check)
        self.card[name] = {
            "path": source.path,
            "licence": source.licence,
            **({"where": source.where} if source.where else {}),
            **loaded.card,
            **made.counts(),
        }
        self._read[name] = made.kept
        return loaded, made.kept
