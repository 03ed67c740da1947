"""What training and evaluating a cell (a selection and a group of seeds) have in common.

What a seed yields is kept under the hash of everything it depends on, outside DVC: a killed stage
goes on with the seeds it has not finished, a run that several studies list is trained once, and
two processes never do the same one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import remove, value_hash
from harness.common.stores import model_store, read_sealed, scratch_folder
from harness.params.params import MAIN

BASE = "base"  # the weights of `none`: the base model as it is
# What is written beside a model, such as the seconds it took.
_NOTES = ("base_model.json", "manifest.json")


def model_hash(files: Mapping[str, str]) -> str:
    """The hash of a model by its files' own: weights, configuration, tokenizer and template."""
    return value_hash({name: digest for name, digest in files.items() if name not in _NOTES})


def base_hash(base: str = MAIN) -> str:
    """The hash of a base model; InputError names a file of it that is not as it was made."""
    stage = "base_model" if base == MAIN else f"base_model_further@{base}"
    return model_hash(read_sealed(layout.BASE_MODELS / base, f"dvc repro {stage}"))


def has_weights(folder: Path) -> bool:
    """Whether a model's weights lie in the folder."""
    return any(folder.glob("*.safetensors"))


def deleted_file(weights: str) -> Path:
    """The manifest of a model whose weights were deleted once it was evaluated."""
    return scratch_folder("train", weights) / "deleted.json"


def weights_folder(manifest: dict[str, Any], base: str, stage: str) -> Path:
    """Where a manifest's weights are.

    InputError names the stage to run where they are gone, or not those that it trained.
    """
    if manifest["weights"] == BASE:
        folder = layout.BASE_MODELS / base
        if base_hash(base) != manifest["base_hash"]:
            raise InputError(f"{folder}: another model than trained; dvc repro {stage}")
        return folder
    folder = model_store() / manifest["weights"]
    if not has_weights(folder):
        remove(deleted_file(manifest["weights"]))  # else the stage would not train again
        raise InputError(
            f"{folder}: the weights are gone; train them again: dvc repro -f -s {stage}"
        )
    again = f"train it again: dvc repro -f -s {stage}"
    if model_hash(read_sealed(folder, again)) != manifest["model_hash"]:
        raise InputError(f"{folder}: another model than the manifest's; {again}")
    return folder
