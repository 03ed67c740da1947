"""Loading models and tokenizers: local folders or hub ids, safetensors only, never remote code."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.errors import InputError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Device = Literal["auto", "cpu", "cuda"]


def load_tokenizer(
    path_or_id: str | Path, revision: str | None = None
) -> "PreTrainedTokenizerBase":
    """Load a tokenizer; InputError in one line where it is missing or out of reach."""
    from transformers import AutoTokenizer

    name = _checked(path_or_id)
    try:
        return AutoTokenizer.from_pretrained(name, revision=revision, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(_why(name, revision, "tokenizer", error)) from error


def load_model(
    path_or_id: str | Path,
    revision: str | None = None,
    dtype: "torch.dtype | None" = None,
) -> "PreTrainedModel":
    """Load a causal language model in `dtype` (default float32) on the CPU.

    Raises InputError in one line where the folder or file is missing, broken, not safetensors, or
    a hub id that cannot be reached.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    name = _checked(path_or_id)
    # Loading four megabytes needs no bar of its own.
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        return AutoModelForCausalLM.from_pretrained(
            name,
            revision=revision,
            dtype=dtype or torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise InputError(_why(name, revision, "model", error)) from error
    finally:
        if bars:
            logging.enable_progress_bar()


def pick_device(device: Device) -> str:
    """`cuda` or `cpu`; `auto` is CUDA where there is one. InputError for one that is not there."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "device: cuda is asked for, but torch sees no CUDA device; say auto or cpu"
        )
    return device


def _checked(path_or_id: str | Path) -> str:
    """The name to load from; InputError where it can only be a folder, and there is none."""
    name = str(path_or_id)
    path = Path(name)
    if path.is_dir():
        config = path / "config.json"
        if not config.is_file():
            raise InputError(f"{path}: not a model folder, config.json is missing")
        try:
            json.loads(config.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{config}: not JSON: {error}") from error
        return name
    # A hub id is `name` or `owner/name`; anything with more to it was meant as a folder.
    if (
        isinstance(path_or_id, Path)
        or path.is_absolute()
        or name.startswith(".")
        or name.count("/") > 1
    ):
        raise InputError(f"{path}: no such model folder")
    return name


def _why(name: str, revision: str | None, what: str, error: Exception) -> str:
    """One line for whatever the loading library raised."""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if Path(name).is_dir():
        return f"{name}: the {what} cannot be loaded: {first}"
    at = f" at revision {revision}" if revision else ""
    return (
        f"{name}{at}: no such local folder, and the hub does not yield the {what} ({first}); "
        "give a local folder, or check the id and the network"
    )
