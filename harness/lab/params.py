"""The knobs of the generated world, apart from the code that builds it."""

from pydantic import BaseModel, ConfigDict, Field


class LabParams(BaseModel):
    """What the world holds; the same values give the same world, byte by byte."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(0, ge=0)
    instances: int = Field(6000, ge=60, description="rows of the pool, noise and duplicates included")
    skills: int = Field(100, ge=18, le=100, description="sub-skills, spread evenly over six families")
    zipf: float = Field(1.0, ge=0, description="frequency of the r-th sub-skill is r to minus this")
    duplicates: float = Field(0.15, ge=0, lt=0.5, description="share of rows that copy another")
    noise: float = Field(0.2, ge=0, lt=0.5, description="share of rows with a planted fault")
    noisy_skills: float = Field(0.3, gt=0, le=1, description="share of sub-skills that draw noise")
    noise_focus: float = Field(8.0, ge=1, description="how much likelier noise is in those")
    items_per_skill: int = Field(10, ge=1, le=10, description="benchmark items a sub-skill")
    preferences: int = Field(500, ge=0, description="rows of the held-back preference split")
    documents: int = Field(30000, ge=10, description="documents of the pretraining corpus")
