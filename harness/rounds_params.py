"""How the phases of feedback-driven selections are run."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class RoundsParams(BaseModel):
    """How phases are run; what they do is the selections' and ``train``'s to say."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    executor: Literal["inprocess", "subprocess"] = "inprocess"
    launcher: list[str] = Field(
        default=[], description="what starts a training process, as [accelerate, launch]"
    )
    batch_size: int = Field(default=64, ge=1, description="conversations read or answered at once")
    max_length: int = Field(
        default=2048, ge=2, description="tokens a model reads at most; its context if that is less"
    )
    threads: int = Field(default=1, ge=1)
    device: Literal["auto", "cpu", "cuda"] = "auto"
