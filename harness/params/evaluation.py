"""The knobs of an evaluation, apart from the code that needs torch."""

from pydantic import Field

from harness.params.section import Batch, Device, StrictSection, Threads


class EvaluateParams(StrictSection):
    """How a model is evaluated; the batch size is fixed because scores depend on it."""

    suite: str
    batch_size: Batch = 64
    limit: int | None = Field(default=None, ge=1, le=10**9)  # first so many items of every column
    threads: Threads | None = 1  # null leaves torch's own
    device: Device = "auto"
    allow_unisolated: bool = False  # run programs that the model wrote without the sandbox
