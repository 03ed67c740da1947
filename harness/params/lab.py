"""The knobs of the generated world, apart from the code that builds it."""

from typing import Annotated, Literal

from pydantic import Field

from harness.params.section import Section, Seed

Rows = Literal["none", "full", "clean", "oracle", "noise", "coverage"]  # of a reference
Half = Annotated[float, Field(ge=0, lt=0.5)]


class LabParams(Section):
    """What is in the world; the same values give the same world, byte by byte."""

    seed: Seed = 0
    instances: int = Field(default=6000, ge=60, le=1_000_000)  # rows of the pool in all
    skills: int = Field(default=100, ge=18, le=100)  # sub-skills of six families
    zipf: float = Field(default=1.0, ge=0, le=10)  # frequency is rank to minus this
    duplicates: Half = 0.15  # share that copies another
    noise: Half = 0.2  # share with a planted fault
    noisy_skills: float = Field(default=0.3, gt=0, le=1)  # share that attracts noise
    noise_focus: float = Field(default=8.0, ge=1, le=10**6)  # how much likelier noise is in those
    items_per_skill: int = Field(default=10, ge=1, le=10)  # benchmark items a sub-skill
    preferences: int = Field(default=500, ge=0, le=1_000_000)  # preference pairs
    documents: int = Field(default=30000, ge=10, le=10_000_000)  # of the pretraining text
