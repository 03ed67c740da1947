"""Trained weights: their hashes, and where a cell finds them.

A seed's results are kept outside DVC under the hash of all that they depend on: a killed stage
resumes with its unfinished seeds, and a run in several studies is trained once.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import remove, value_hash
from harness.common.stores import model_store, read_sealed, scratch_folder
from harness.models.adapters import is_adapter
from harness.params.params import MAIN

BASE = "base"  # the weights of `none`: the base model as it is
# Notes beside a model, such as the seconds it took.
_NOTES = ("base_model.json", "manifest.json")


def model_hash(files: Mapping[str, str]) -> str:
    """The hash of a model by its files: weights, configuration, tokenizer and template."""
    return value_hash({name: digest for name, digest in files.items() if name not in _NOTES})


def base_hash(base: str = MAIN) -> str:
    """The hash of a base model; InputError names a file that was altered."""
    stage = "base_model" if base == MAIN else f"base_model_further@{base}"
    return model_hash(read_sealed(layout.BASE_MODELS / base, f"dvc repro {stage}"))


def deleted_file(weights: str) -> Path:
    """The manifest of a model whose weights were deleted after evaluation."""
    return scratch_folder("train", weights) / "deleted.json"


def weights_folder(manifest: dict[str, Any], base: str, stage: str) -> Path:
    """The folder of a manifest's weights; InputError, with the stage to run, if gone or altered.

    So it is if they are an adapter, and the base model is another.
    """
    folder, trained_on = model_store() / manifest["weights"], layout.BASE_MODELS / base
    needs_base = manifest["weights"] == BASE or is_adapter(folder)
    if needs_base and base_hash(base) != manifest["base_hash"]:
        raise InputError(f"{trained_on}: another model than trained; dvc repro {stage}")
    if manifest["weights"] == BASE:
        return trained_on
    if not any(folder.rglob("*.safetensors")):
        remove(deleted_file(manifest["weights"]))  # else the stage would not train again
        remedy = f"train them again: dvc repro -f -s {stage}"
        raise InputError(f"{folder}: the weights are gone; {remedy}")
    again = f"train it again: dvc repro -f -s {stage}"
    if model_hash(read_sealed(folder, again)) != manifest["model_hash"]:
        raise InputError(f"{folder}: another model than the manifest's; {again}")
    return folder
