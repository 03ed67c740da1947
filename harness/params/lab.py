"""The knobs of the generated world, apart from the code that builds it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

# What a reference takes of the pool.
Rows = Literal["none", "full", "clean", "oracle", "noise", "coverage"]


class LabParams(BaseModel):
    """What the world holds; the same values give the same world, byte by byte."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    seed: int = Field(default=0, ge=0, lt=2**32)
    instances: int = Field(
        default=6000, ge=60, le=1_000_000, description="rows of the pool, all included"
    )
    skills: int = Field(default=100, ge=18, le=100, description="sub-skills of six families")
    zipf: float = Field(default=1.0, ge=0, le=10, description="frequency is rank to minus this")
    duplicates: float = Field(default=0.15, ge=0, lt=0.5, description="share that copies another")
    noise: float = Field(default=0.2, ge=0, lt=0.5, description="share with a planted fault")
    noisy_skills: float = Field(default=0.3, gt=0, le=1, description="share that draws noise")
    noise_focus: float = Field(
        default=8.0, ge=1, le=10**6, description="how much likelier noise is in those"
    )
    items_per_skill: int = Field(default=10, ge=1, le=10, description="items a sub-skill")
    preferences: int = Field(
        default=500, ge=0, le=1_000_000, description="rows of the held-back split"
    )
    documents: int = Field(
        default=30000, ge=10, le=10_000_000, description="documents of the pretraining corpus"
    )
