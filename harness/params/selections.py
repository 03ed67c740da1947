"""The tables of params.yaml that name selections, references, and what is trained on them."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from harness.common.errors import shown
from harness.params.lab import Rows
from harness.params.section import Positive, Section, Seed

Seeds = Annotated[list[Seed], Field(min_length=1)] | None  # None: those of the groups
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$")]  # becomes part of a path
DOSES = ("noise", "coverage")  # the rows of a reference that take a share


def _number_or_auto(value: object) -> object:
    number = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if not number and value != "auto":
        rule = "neither a number of clusters from 1 (1: the pool as one) nor auto"
        raise ValueError(f"{shown(repr(value), 40)} is {rule}")
    return value


def _share_or_rows(value: object) -> object:
    share = isinstance(value, float) and 0 < value < 1
    rows = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if not share and not rows:
        rule = "a share of the pool is between 0 and 1 (0.1), a number of rows is whole (600)"
        raise ValueError(f"{shown(repr(value), 40)} is neither: {rule}")
    return value


# auto: the one among cluster.k with the best silhouette
K = Annotated[int | Literal["auto"], BeforeValidator(_number_or_auto)]
Budget = Annotated[int | float, BeforeValidator(_share_or_rows)]


class Selection(Section):
    """A named configuration of a selection system; further keys go to its sampler."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    sampler: str
    embedding: Name  # what it reads, a key of `embeddings`
    k: K
    budget: Budget
    seeds: Seeds = None
    more_groups: list[str] = Field(default=[])  # seed groups in addition to `seed_groups`

    @property
    def sampler_params(self) -> dict[str, Any]:
        """The sampler's arguments other than pool, budget and rng."""
        return dict(self.model_extra or {})


class ScoredSelection(Selection):
    """A selection that reads scores: ``quality`` says which, see `selecting.quality`."""

    quality: str
    # Share of the pool, the best by quality, that the sampler chooses among; None: the whole pool.
    keep_best: Annotated[float, Field(gt=0, lt=1, strict=True)] | None = None


class RoundSelection(Selection):
    """A selection that trains models to choose by; ``sampler`` is one of ROUND_SYSTEMS."""

    quality: str | None = None  # for systems that draw by one


class Reference(Section):
    """A reference instead of a selection system: by the planted truth, or no rows, or all."""

    rows: Rows
    share: Annotated[float, Field(ge=0, le=1)] | None = None
    budget: Budget | None = None  # None: the one of `defaults`
    seeds: Seeds = None
    more_groups: list[str] = Field(default=[])

    @model_validator(mode="after")
    def _share_where_it_is_read(self) -> Self:
        if self.rows in DOSES and self.share is None:
            raise ValueError(f"rows {self.rows} need `share`, 0 to 1; add it")
        if self.rows not in DOSES and self.share is not None:
            raise ValueError(f"rows {self.rows} take no `share` ({self.share}); remove it")
        return self


class Further(Section):
    """A further cell, of a study: a selection, or its first rows or rounds.

    Each seed of its group is trained and evaluated once.
    """

    study: Name  # part of a path; `main`: more seeds of a row of the main table
    of: Name  # a selection or reference
    group: str  # a seed group
    base: Name  # the base model that is trained: `main`, or one of `base_models`
    rows: Positive | None = None  # the first so many
    rounds: Positive | None = None  # those taken in the first so many rounds

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.rows is not None and self.rounds is not None:
            raise ValueError("has `rows` and `rounds`; remove one")
        return self
