"""The tables of selections: named configurations of selection systems, and cuts of them."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from harness.errors import shown

Positive = Annotated[int, Field(ge=1, strict=True)]
Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]  # what NumPy and torch take
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$")]  # becomes part of a path


class Section(BaseModel):
    """A part of params.yaml: unknown keys are refused, values are never changed.

    A key that dvc.yaml names has no default: DVC reads the file, not this.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Selection(Section):
    """A named configuration of a selection system; further keys go to its sampler."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    sampler: str
    k: int | Literal["auto"]  # auto: the one of best silhouette among cluster.k
    seeds: Annotated[list[Seed], Field(min_length=1)] | None = None

    @field_validator("k", mode="before")
    @classmethod
    def _number_or_auto(cls, value: object) -> object:
        number = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        if not number and value != "auto":
            told = "neither a number of clusters from 1 (1: the pool as one) nor auto"
            raise ValueError(f"{shown(repr(value), 40)} is {told}")
        return value

    @property
    def sampler_params(self) -> dict[str, Any]:
        """What the sampler gets besides pool, budget and rng."""
        return dict(self.model_extra or {})


class ScoredSelection(Selection):
    """A selection that reads scores: ``quality`` says which, in the words of harness.quality."""

    quality: str


class RoundSelection(Selection):
    """A selection that trains models to choose by; ``sampler`` is one of ROUND_SYSTEMS."""

    quality: str | None = None  # for the systems that draw by one


class Cut(Section):
    """The beginning of a selection's subset: its first rounds, or so many rows."""

    of: str
    rounds: Positive | None = None
    rows: Positive | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.rounds is None) == (self.rows is None):
            raise ValueError("needs one of `rounds` and `rows`, not both")
        return self
