"""The knobs of supervised fine-tuning, apart from the code that needs torch."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from harness.common.errors import shown
from harness.params.section import (
    Batch,
    Device,
    Epochs,
    Positive,
    Processes,
    Rate,
    Section,
    Share,
    Threads,
    Tokens,
)

# Knobs that the first runs had not: at their defaults they are no part of a run's hash.
ADDED = (
    *("lora", "precision", "packing", "gradient_checkpointing", "liger", "max_steps"),
    *("launcher", "processes"),
)


def _share_or_steps(value: object) -> object:
    share = isinstance(value, float) and 0 <= value < 1
    steps = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if not share and not steps:
        rule = "a share of the steps is under 1 (0.03), a number of steps is whole (1000)"
        raise ValueError(f"{shown(repr(value), 40)} is neither: {rule}")
    return value or 0.0


def _all_linear_or_names(value: object) -> object:
    names = isinstance(value, list) and value and all(isinstance(x, str) and x for x in value)
    if value != "all_linear" and not names:
        rule = "neither all_linear nor a list of layers' names ([q_proj, v_proj])"
        raise ValueError(f"{shown(repr(value), 40)} is {rule}")
    return value


class LoraParams(Section):
    """Low-rank adaptation (Hu et al. 2021, arXiv 2106.09685): W + alpha / rank * B A, W frozen."""

    rank: Annotated[int, Field(ge=1, le=4096)] = 16
    alpha: Annotated[float, Field(gt=0, le=65_536)] = 32.0
    dropout: Share = 0.0  # of what an adapter reads, in training
    # Linear layers by the ends of their names; all_linear is every one but the output head.
    targets: Annotated[Literal["all_linear"] | list[str], BeforeValidator(_all_linear_or_names)] = (
        "all_linear"
    )


class TrainParams(Section):
    """How a model is fine-tuned on a subset; the defaults suit a model of about 1M parameters."""

    epochs: Epochs = 5
    learning_rate: Rate = 2e-3
    batch_size: Batch = 16  # rows, or packs, that a device reads at once, at most
    gradient_accumulation: Batch = 1  # batches summed into one step, over all processes
    max_length: Tokens = 256  # tokens a row; longer rows are cut and counted
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    # Under 1: a share of the steps; else so many steps, even if there are fewer.
    warmup: Annotated[int | float, Field(le=10**12), BeforeValidator(_share_or_steps)] = 0.03
    weight_decay: float = Field(default=0.0, ge=0, le=1)
    group_by_length: bool = True  # rows of similar length share a batch, which saves padding
    lora: LoraParams | None = None  # null trains every weight
    precision: Literal["auto", "bf16", "float32"] = "auto"  # auto: bf16 on CUDA
    packing: bool = False  # rows share a sequence of max_length tokens, and do not see each other
    gradient_checkpointing: bool = False  # less memory; the forward pass is done twice
    liger: bool = False  # the layers' kernels of liger-kernel, on CUDA
    max_steps: Positive | None = None  # a trial: stop after so many steps
    keep_models: Literal["full", "adapter", "none"] = "full"
    # How accelerate connects several processes: ddp, fsdp, zero3 (conf/accelerate/), or a file.
    launcher: str | None = None
    processes: Processes | None = None  # that share each step's rows; null: one a card
    threads: Threads | None = 1  # null leaves torch's own
    device: Device = "auto"

    @model_validator(mode="after")
    def _there_is_an_adapter_to_keep(self) -> Self:
        if self.keep_models == "adapter" and self.lora is None:
            rule = "keep_models is adapter, but lora is null and every weight is trained"
            raise ValueError(f"{rule}; say keep_models: full, or lora: {{rank: 16}}")
        return self

    @model_validator(mode="after")
    def _processes_are_launched(self) -> Self:
        if self.processes is not None and self.launcher is None:
            rule = f"processes is {self.processes}, but launcher is null, which starts none"
            raise ValueError(f"{rule}; say launcher: ddp, or leave processes out")
        return self

    @property
    def recipe(self) -> dict[str, Any]:
        """All that decides the weights: every knob but ``keep_models``, for a run's hash."""
        fields = type(self).model_fields
        off = {name for name in ADDED if getattr(self, name) == fields[name].default}
        return self.model_dump(exclude={"keep_models", *off})
