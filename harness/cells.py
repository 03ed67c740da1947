"""What training and evaluating a cell (a selection and a group of seeds) have in common.

What a seed yields is kept under the hash of everything it depends on, outside DVC: a killed stage
goes on with the seeds it has not finished, a run that several studies list is trained once, and
two processes never do the same one.
"""

from pathlib import Path
from typing import Any

from harness import layout
from harness.errors import InputError
from harness.files import weights_hash
from harness.stores import model_store

BASE = "base"  # the weights of `none`: the base model as it is


def has_weights(folder: Path) -> bool:
    """Whether a model's weights lie in the folder."""
    return any(folder.glob("*.safetensors"))


def weights_folder(manifest: dict[str, Any], stage: str) -> Path:
    """Where a manifest's weights are.

    InputError names the stage to run where they are gone, or not those that it trained.
    """
    if manifest["weights"] == BASE:
        return layout.BASE_MODEL
    folder = model_store() / manifest["weights"]
    if not has_weights(folder):
        raise InputError(
            f"{folder}: the weights are gone; train them again: dvc repro -f -s {stage}"
        )
    if weights_hash(folder) != manifest["weights_hash"]:
        raise InputError(
            f"{folder}: the weights are damaged; train them again: dvc repro -f -s {stage}"
        )
    return folder
