"""The knobs of the base model, apart from the code that needs torch."""

from typing import Literal, Self

from pydantic import Field, model_validator

from harness.params.section import Rate, Section, Seed, Share, Threads


class PretrainParams(Section):
    """Where the base model comes from: `scratch` is pretrained here, the others are not."""

    source: str = Field(min_length=1)  # scratch, one of PACKAGED, a local model folder, or a hub id
    revision: str | None = None  # commit of a hub id
    template_sha256: str | None = None  # of the source's chat template: shows DVC an edit
    seed: Seed = 0
    architecture: Literal["llama", "gpt2"] = "llama"
    vocab_size: int = Field(default=1024, ge=300, le=1_000_000)  # of the BPE, 256 bytes included
    layers: int = Field(default=4, ge=1, le=1000)
    hidden: int = Field(default=128, ge=8, le=65_536)
    heads: int = Field(default=4, ge=1, le=1024)
    context: int = Field(default=256, ge=16, le=1_000_000)  # positions of the model
    block: int = Field(default=128, ge=8, le=1_000_000)  # tokens of a pretraining sequence
    batch_tokens: int = Field(default=1024, ge=8, le=100_000_000)  # tokens a step
    tokens: int = Field(default=2_600_000, ge=1, le=10**13)  # of the whole pretraining
    learning_rate: Rate = 3e-3
    warmup: Share = 0.05  # of the steps
    weight_decay: float = Field(default=0.01, ge=0, le=1)
    threads: Threads = 2  # the last digits depend on it

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        if self.hidden % (2 * self.heads):  # Llama's rotary positions turn pairs within a head
            rule = "hidden must be a multiple of 2 * heads, an even width a head"
            raise ValueError(f"hidden {self.hidden} with heads {self.heads}: {rule}")
        if self.block > self.context:
            rule = "a pretraining sequence must fit the positions of the model; lower block"
            raise ValueError(f"block {self.block} with context {self.context}: {rule}")
        return self
