"""LoRA adapters of models trained here: their layers, their files, and merging them.

A trained model's folder has weights of its own or, in the sub-folder ``adapter``, those of peft's
adapter; tokenizer and configuration lie beside either. The file that peft would read a base model's
name from names none: callers know the base. Of a file only four values and tensors are read, so
that it leads to no hub, pickle or code.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.common.errors import InputError, nearest
from harness.common.files import read_json, write_json
from harness.models.loading import load_model, loading, without_bars

if TYPE_CHECKING:
    import torch
    from peft import LoraConfig, PeftModel
    from transformers import PreTrainedModel

ADAPTER = "adapter"
_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_AGAIN = "train it again"


def lora_config(
    model: "PreTrainedModel",
    *,
    rank: int,
    alpha: float,
    dropout: float,
    targets: Literal["all_linear"] | Sequence[str],
) -> "LoraConfig":
    """How a model is adapted: W + alpha / rank * B A in the targets (arXiv 2106.09685, eq. 3).

    A target is a linear layer's name or the end of it (``q_proj``), and so all that end in it;
    ``all_linear`` is every one but the output head, from which the loss is computed directly.
    Raises InputError for a target that matches none, with the nearest name there is.
    """
    layers = _linear_layers(model)
    ends = sorted({name.rpartition(".")[2] for name in layers})
    if not ends:
        kind = type(model).__name__
        raise InputError(f"train.lora: {kind} has no linear layer to adapt; set lora: null")
    for target in targets if targets != "all_linear" else ():
        if not any(name == target or name.endswith(f".{target}") for name in layers):
            near = nearest(target, ends)
            raise InputError(f"train.lora.targets: no linear layer is called {target!r}{near}")
    return _config(model, rank, alpha, dropout, ends if targets == "all_linear" else targets)


def _config(
    model: "PreTrainedModel", rank: int, alpha: float, dropout: float, names: Sequence[str]
) -> "LoraConfig":
    from peft import LoraConfig
    from transformers.pytorch_utils import Conv1D

    return LoraConfig(
        r=rank,
        lora_alpha=alpha,  # pyright: ignore[reportArgumentType]  (only its quotient by r is used)
        lora_dropout=dropout,
        target_modules=list(names),
        fan_in_fan_out=any(isinstance(layer, Conv1D) for layer in _linear_layers(model).values()),
        task_type="CAUSAL_LM",
    )


def _linear_layers(model: "PreTrainedModel") -> "dict[str, torch.nn.Module]":
    """The linear layers by name, without the output head."""
    from torch.nn import Linear
    from transformers.pytorch_utils import Conv1D

    head = model.get_output_embeddings()
    every = model.named_modules()
    return {n: m for n, m in every if isinstance(m, Linear | Conv1D) and m is not head}


def save_adapter(
    model: "PeftModel", folder: Path, weights: "dict[str, torch.Tensor] | None" = None
) -> None:
    """Write a trained model without its base's weights; ``adapter`` is as peft reads one.

    ``weights``: the model's, where it does not hold them itself.
    """
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    config = model.peft_config["default"].to_dict()
    # The base's path is this machine's, and a set's order another in every process.
    config |= {"base_model_name_or_path": None, "inference_mode": True}
    config["target_modules"] = sorted(config["target_modules"])
    (folder / ADAPTER).mkdir(parents=True)
    tensors = get_peft_model_state_dict(model, weights, save_embedding_layers=False)
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(whole, folder / ADAPTER / _WEIGHTS, {"format": "pt"})
    write_json(folder / ADAPTER / _CONFIG, config)
    base: PreTrainedModel = model.get_base_model()  # pyright: ignore[reportAssignmentType]
    base.config.save_pretrained(folder)
    if base.generation_config is not None:
        base.generation_config.save_pretrained(folder)


def is_adapter(folder: Path) -> bool:
    """Whether a trained model's folder has an adapter instead of weights of its own."""
    return (folder / ADAPTER / _WEIGHTS).is_file()


def with_adapter(model: "PreTrainedModel", folder: Path, *, trainable: bool = False) -> "PeftModel":
    """The base model with the adapter of a trained model's folder, not merged.

    InputError where the adapter is damaged or does not fit the model.
    """
    from peft import get_peft_model, set_peft_model_state_dict
    from safetensors.torch import load_file

    path = folder / ADAPTER / _CONFIG
    values = read_json(path, _AGAIN)
    with loading(folder, "adapter"), without_peft_warning():
        read = (values[name] for name in ("r", "lora_alpha", "lora_dropout", "target_modules"))
        config = _config(model, *read)
        # On no device first: initial values would be drawn from torch's own generator.
        made = get_peft_model(model, config, low_cpu_mem_usage=True)
        tensors = load_file(folder / ADAPTER / _WEIGHTS)
        result = set_peft_model_state_dict(made, tensors, low_cpu_mem_usage=True)
    lost = [n for n in (*result.missing_keys, *result.unexpected_keys) if "lora_" in n]
    if lost:
        raise InputError(f"{folder / ADAPTER}: not an adapter of its base model ({lost[0]})")
    for name, weight in made.named_parameters():
        weight.requires_grad_(trainable and "lora_" in name)
    return made


def merged(model: "PeftModel") -> "PreTrainedModel":
    """The model with its adapter added to the weights, in float32 and on the CPU.

    In bfloat16 the sum would lose what of B A is under 1/256 of a weight: it is rounded once, when
    the merged model is loaded in that type.
    """
    return model.to("cpu").float().merge_and_unload()


def load_trained(
    folder: Path, base: Path | None = None, dtype: "torch.dtype | None" = None
) -> "PreTrainedModel":
    """Load a model trained here in `dtype` (default float32) on the CPU.

    An adapter is merged into ``base``, the folder of the model that it was trained on: the model
    is that of the merged weights, kept as these. InputError as for `load_model`, and for an
    adapter without a base.
    """
    import torch
    from transformers import GenerationConfig

    if not is_adapter(folder):
        return load_model(folder, dtype=dtype)
    if base is None:
        rule = "an adapter, and its base model is not given"
        raise InputError(f"{folder}: {rule}; train it with keep_models: full")
    model = merged(with_adapter(load_model(base), folder))
    if dtype not in (None, torch.float32):
        # As a file's weights are: what a model keeps in float32 stays so.
        with without_bars():
            weights = model.state_dict()
            model = type(model).from_pretrained(
                None, config=model.config, state_dict=weights, dtype=dtype
            )
    model.generation_config = GenerationConfig.from_pretrained(folder)
    model.name_or_path = str(folder)
    return model.eval()


@contextmanager
def without_peft_warning() -> Iterator[None]:
    """Hide that peft 0.21 asks a model by a name that transformers 5 has replaced."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated")
        yield
