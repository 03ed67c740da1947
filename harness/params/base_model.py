"""The knobs of the base model, apart from the code that needs torch."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class PretrainParams(BaseModel):
    """Where the base model comes from: `scratch` is pretrained here, else a folder or a hub id."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    source: str = Field(min_length=1, description="scratch, a local model folder, or a hub id")
    revision: str | None = Field(default=None, description="commit of a hub id")
    template_sha256: str | None = Field(
        default=None, description="of the source's chat template, by which DVC sees an edit"
    )
    seed: int = Field(default=0, ge=0, lt=2**32)
    vocab_size: int = Field(
        default=1024, ge=300, le=1_000_000, description="of the BPE, 256 bytes included"
    )
    layers: int = Field(default=4, ge=1, le=1000)
    hidden: int = Field(default=128, ge=8, le=65_536)
    heads: int = Field(default=4, ge=1, le=1024)
    context: int = Field(
        default=256, ge=16, le=1_000_000, description="positions the model is built for"
    )
    block: int = Field(
        default=128, ge=8, le=1_000_000, description="tokens of a pretraining sequence"
    )
    batch_tokens: int = Field(default=1024, ge=8, le=100_000_000, description="tokens a step")
    tokens: int = Field(
        default=2_600_000, ge=1, le=10**13, description="tokens of the whole pretraining"
    )
    learning_rate: float = Field(default=3e-3, gt=0, le=1)
    warmup: float = Field(default=0.05, ge=0, lt=1, description="share of the steps")
    weight_decay: float = Field(default=0.01, ge=0, le=1)
    threads: int = Field(
        default=2, ge=1, le=1024, description="CPU threads; the last digits depend on it"
    )

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        if self.hidden % (2 * self.heads):  # rotary positions turn pairs within a head
            rule = "hidden must be a multiple of 2 * heads, an even width a head"
            raise ValueError(f"hidden {self.hidden} with heads {self.heads}: {rule}")
        if self.block > self.context:
            rule = "a pretraining sequence must fit the positions of the model; lower block"
            raise ValueError(f"block {self.block} with context {self.context}: {rule}")
        return self
