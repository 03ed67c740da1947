"""The knobs of the reward model, apart from the code that needs torch."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class RewardParams(BaseModel):
    """Where the reward model comes from: `base` trains it here, else a folder or a hub id.

    The defaults suit a model of about 1M parameters.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    source: str = Field(
        default="base", min_length=1, description="base, a local model folder, or a hub id"
    )
    revision: str | None = Field(default=None, description="commit of a hub id")
    seed: int = Field(
        default=0, ge=0, lt=2**32, description="of the split, the head and the batches"
    )
    epochs: int = Field(default=3, ge=1, le=10_000)
    learning_rate: float = Field(default=5e-4, gt=0, le=1)
    batch_size: int = Field(default=16, ge=1, le=100_000, description="pairs a step")
    max_length: int = Field(
        default=256,
        ge=2,
        le=1_000_000,
        description="tokens a response with its prompt; longer pairs go",
    )
    threads: int | None = Field(
        default=1, ge=1, le=1024, description="CPU threads; null leaves torch's own"
    )
    device: Literal["auto", "cpu", "cuda"] = "auto"
