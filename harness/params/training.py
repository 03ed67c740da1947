"""The knobs of supervised fine-tuning, apart from the code that needs torch."""

from typing import Literal

from pydantic import Field

from harness.params.section import (
    Batch,
    Device,
    Epochs,
    Rate,
    Share,
    StrictSection,
    Threads,
    Tokens,
)


class TrainParams(StrictSection):
    """How a model is fine-tuned on a subset; the defaults suit a model of about 1M parameters."""

    epochs: Epochs = 5
    learning_rate: Rate = 2e-3
    batch_size: Batch = 16  # rows a device and step
    gradient_accumulation: Batch = 1  # batches summed into one step
    max_length: Tokens = 256  # tokens a row; longer rows are cut and counted
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: Share = 0.03  # of the steps
    weight_decay: float = Field(default=0.0, ge=0, le=1)
    group_by_length: bool = True  # rows of similar length share a batch, which saves padding
    keep_models: Literal["full", "none"] = "full"
    threads: Threads | None = 1  # null leaves torch's own
    device: Device = "auto"
