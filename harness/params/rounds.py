"""How the phases of feedback-driven selections are run."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class RoundsParams(BaseModel):
    """How phases are run; what they do is the selections' and ``train``'s to say."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    executor: Literal["inprocess", "subprocess"] = "inprocess"
    launcher: list[str] = Field(
        default=[],
        description="with subprocess: what starts a training, one process: docs/rounds.md",
    )
    batch_size: int = Field(
        default=64, ge=1, le=100_000, description="conversations read or answered at once"
    )
    max_length: int = Field(
        default=2048,
        ge=2,
        le=1_000_000,
        description="tokens a model reads at most; its context if that is less",
    )
    threads: int = Field(default=1, ge=1, le=1024)
    device: Literal["auto", "cpu", "cuda"] = "auto"

    @model_validator(mode="after")
    def _launcher_where_it_is_read(self) -> Self:
        if self.launcher and self.executor == "inprocess":
            told = f"executor inprocess starts nothing, but launcher is {self.launcher}"
            raise ValueError(f"{told}; say executor: subprocess, or launcher: []")
        return self
