"""How the phases of feedback-driven selections are run."""

from typing import Literal, Self

from pydantic import Field, model_validator

from harness.params.section import Batch, Device, Section, Threads, Tokens


class RoundsParams(Section):
    """How phases are run; what they do is for the selections and ``train`` to say."""

    executor: Literal["inprocess", "subprocess"] = "inprocess"
    launcher: list[str] = Field(
        default=[]
    )  # for subprocess: what starts a training, see docs/rounds.md
    batch_size: Batch = 64  # conversations read or answered at once
    max_length: Tokens = 2048  # tokens that a model reads, if its context allows
    threads: Threads = 1
    device: Device = "auto"

    @model_validator(mode="after")
    def _launcher_is_used(self) -> Self:
        if self.launcher and self.executor == "inprocess":
            rule = f"executor inprocess starts nothing, but launcher is {self.launcher}"
            raise ValueError(f"{rule}; say executor: subprocess, or launcher: []")
        return self
