"""The knobs of an evaluation, apart from the code that needs torch."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class EvaluateParams(BaseModel):
    """How a model is evaluated; the batch size is fixed because scores move with it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    suite: str
    batch_size: int = Field(default=64, ge=1, le=100_000)
    limit: int | None = Field(
        default=None, ge=1, le=10**9, description="first so many items of every column"
    )
    threads: int | None = Field(
        default=1, ge=1, le=1024, description="CPU threads; null leaves torch's own"
    )
    device: Literal["auto", "cpu", "cuda"] = "auto"
    allow_unisolated: bool = Field(
        default=False,
        description="run programs that the model wrote where a wall of the sandbox is missing",
    )
