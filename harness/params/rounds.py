"""How the phases of feedback-driven selections are run."""

from typing import Any, Literal

from harness.params.section import Batch, Device, Processes, Section, Threads, Tokens


class RoundsParams(Section):
    """How phases are run; what they do is for the selections and ``train`` to say."""

    executor: Literal["inprocess", "subprocess"] = "inprocess"
    processes: Processes = 1  # that share a phase other than training, one a device
    batch_size: Batch = 64  # conversations read or answered at once
    max_length: Tokens = 2048  # tokens that a model reads, if its context allows
    threads: Threads = 1
    device: Device = "auto"

    @property
    def decisive(self) -> dict[str, Any]:
        """What a phase's result depends on."""
        return self.model_dump(exclude={"executor", "processes"})
