"""The knobs of supervised fine-tuning, apart from the code that needs torch."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class TrainParams(BaseModel):
    """How a model is fine-tuned on a subset; the defaults suit a model of about 1M parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    epochs: int = Field(default=5, ge=1, le=10_000)
    learning_rate: float = Field(default=2e-3, gt=0, le=1)
    batch_size: int = Field(default=16, ge=1, le=100_000, description="rows a device and step")
    gradient_accumulation: int = Field(
        default=1, ge=1, le=100_000, description="batches summed into one step"
    )
    max_length: int = Field(
        default=256, ge=2, le=1_000_000, description="tokens a row; longer ones are cut and counted"
    )
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: float = Field(default=0.03, ge=0, lt=1, description="share of the steps")
    weight_decay: float = Field(default=0.0, ge=0, le=1)
    group_by_length: bool = Field(
        default=True, description="rows of about one length share a batch, which saves padding"
    )
    keep_models: Literal["full", "none"] = "full"
    threads: int | None = Field(
        default=1, ge=1, le=1024, description="CPU threads; null leaves torch's own"
    )
    device: Literal["auto", "cpu", "cuda"] = "auto"
