"""The knobs of the reward model, apart from the code that needs torch."""

from pydantic import Field

from harness.params.section import (
    Batch,
    Device,
    Epochs,
    Positive,
    Rate,
    Section,
    Seed,
    Threads,
    Tokens,
)


class RewardParams(Section):
    """Where the reward model comes from: `base` trains it here, else a folder or a hub id.

    The defaults suit a model of about 1M parameters.
    """

    source: str = Field(default="base", min_length=1)  # base, a local model folder, or a hub id
    revision: str | None = None  # commit of a hub id
    seed: Seed = 0  # of the split, the head and the batches
    pairs: Positive | None = None  # to train on, the first so many; null: all
    epochs: Epochs = 3
    learning_rate: Rate = 5e-4
    batch_size: Batch = 16  # pairs a step
    max_length: Tokens = 256  # tokens a response with its prompt; longer pairs are dropped
    threads: Threads | None = 1  # null leaves torch's own
    device: Device = "auto"
