"""What the sections of params.yaml have in common: strictness, and types of several sections."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]  # what NumPy and torch accept
Threads = Annotated[int, Field(ge=1, le=1024)]  # CPU threads
Processes = Annotated[int, Field(ge=1, le=1024, strict=True)]  # of one machine, one a device
Device = Literal["auto", "cpu", "cuda"]
Positive = Annotated[int, Field(ge=1, le=10**12, strict=True)]
Batch = Annotated[int, Field(ge=1, le=100_000)]
Epochs = Annotated[int, Field(ge=1, le=10_000)]
Tokens = Annotated[int, Field(ge=2, le=1_000_000)]  # that a model reads at most
Rate = Annotated[float, Field(gt=0, le=1)]  # of learning
Share = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """A part of params.yaml: unknown keys are refused, values are never changed.

    Values must have their types as they are: neither "2", 2.0 nor true is an int. A key that
    dvc.yaml names has no default: DVC reads the file, not this.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)
