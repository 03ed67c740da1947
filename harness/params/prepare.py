"""The ``prepare`` section of params.yaml: which pool, and what is first cut from it.

The items of benchmarks are named by their suite: harness/suites/<suite>/suite.yaml.
"""

from typing import Annotated, Self, TypeVar

from pydantic import Field, model_validator

from harness.common.errors import nearest
from harness.common.locations import split_revision
from harness.params.limits import Count, Limits
from harness.params.section import Section, Seed
from harness.params.source import OnBadRow, RowCount, Source, Take

FROM_POOL = "pool"


S = TypeVar("S", bound=Source)


class Part(Section):
    """Rows cut from a source: how many, and whether drawn or from the top.

    ``source`` is a name under ``sources``, or ``pool``: the rows are then taken out of the pool.
    A share in ``rows`` is clipped to ``at_least`` and ``at_most``.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_]+$")
    source: str
    rows: RowCount = "all"
    take: Take = "random"
    at_least: Count = 1
    at_most: Count | None = None


class OverlapParams(Section):
    """When texts overlap: one contains this share of the other's runs of this many words.

    A prompt is near a question from this cosine ``similarity`` on.
    """

    words: Count = 8
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    similarity: Annotated[float, Field(gt=0, le=1)] = 0.8


class PrepareParams(Section):
    """How the pool, the held-out rows, the pretraining text and the benchmarks are made."""

    source: str
    source_sha256: str | None = None  # DVC sees by it that a file was edited; checked if given
    template_sha256: str | None = None  # the same, of the chat template of a base_model.source
    rows: RowCount = "all"
    min_rows: Count = 1  # fewer rows in the source stop the stage
    on_bad_row: OnBadRow = "error"
    limits: Limits = Limits()  # of each file that is read
    seed: Seed = 0
    near_duplicate: Annotated[float, Field(ge=0.7, le=1)] = 0.8
    overlap: OverlapParams = OverlapParams()
    remove_overlap: bool = False  # of the pool with held-out rows and benchmark items
    sources: dict[str, Source] = Field(default={})
    heldout: list[Part] = Field(default=[])
    pretraining: list[Part] = Field(default=[])
    # At most; a generated pool has its own.
    preference_pairs: Annotated[int, Field(ge=0, le=10**12)] = 2000

    @model_validator(mode="before")
    @classmethod
    def _older_form(cls, values: object) -> object:
        if isinstance(values, dict) and "benchmarks" in values:
            raise ValueError(
                "benchmarks: of an older version; the suite names its items now: `data` in "
                "harness/suites/<suite>/suite.yaml (docs/add-a-benchmark.md)"
            )
        return values

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        for label in ("heldout", "pretraining"):
            parts: list[Part] = getattr(self, label)
            names = [part.name for part in parts]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{label}: the name {twice[0]} is given twice; names are unique")
            known = [*self.sources, FROM_POOL]
            for part in parts:
                if part.source not in known:
                    hint = nearest(part.source, known)
                    raise ValueError(f"{label}: source {part.source!r} is not known{hint}")
        return self

    def find_source(self, name: str) -> Source:
        """The source of that name; else the name is a path, a hub id (with @revision) or lab."""
        return self.completed(self.sources.get(name) or Source(path=name))

    def completed(self, source: S) -> S:
        """A source with its revision in a field of its own, and the section's limits."""
        path, revision = split_revision(source.path)
        return source.model_copy(
            update={
                "path": path,
                "revision": revision or source.revision,
                "limits": source.limits or self.limits,
            }
        )
