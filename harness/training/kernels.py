"""Liger's Triton kernels for a model's layers (Hsu et al. 2024, arXiv 2410.10989)."""

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from harness.common.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NOT_INSTALLED = "liger-kernel is not installed; pip install liger-kernel, or say liger: false"


def liger_is_installed() -> bool:
    """Whether there is a package to take the kernels from."""
    return find_spec("liger_kernel") is not None


def use_liger(model: "PreTrainedModel", device: str) -> None:
    """Compute this model's norms and feed-forward layers by Liger's kernels; the loss stays TRL's.

    The package is used as it is installed: what TRL names in place of its own switch
    (``use_kernels``) runs code fetched from the hub. InputError without it, or off CUDA.
    """
    if not liger_is_installed():
        raise InputError(f"train.liger: {NOT_INSTALLED}")
    if device != "cuda":
        raise InputError(f"train.liger: its kernels run on CUDA, not on {device}; say liger: false")
    from transformers.integrations.liger import apply_liger_kernel

    # It replaces classes of the architecture's module too, and so later models of the process,
    # some of which are read on the CPU.
    module = sys.modules[type(model).__module__]
    before = dict(vars(module))
    apply_liger_kernel(model, {"fused_linear_cross_entropy": False, "rope": False})
    vars(module).update(before)
    if not any(layer.forward.__module__.startswith("liger_kernel") for layer in model.modules()):
        kind = model.config.model_type
        raise InputError(f"train.liger: it has no kernels for {kind}; say liger: false")
