"""Finds the models that scorers read with and loads them on a device."""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import file_hash, value_hash
from harness.common.stores import read_sealed
from harness.models.loading import Device, load_tokenizer, model_folder, pick_device

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# The names of the models that the pipeline makes.
MODELS: dict[str, Path] = {"base": layout.BASE_MODEL, "reward": layout.REWARD_MODEL}
_REMEDIES = {
    layout.BASE_MODEL: "dvc repro base_model",
    layout.REWARD_MODEL: "dvc repro reward_model",
}


def _remedy(folder: Path) -> str | None:
    """What makes a model of the pipeline's; None for any other folder."""
    if folder.parent == layout.REWARD_MODELS and folder not in _REMEDIES:
        return f"dvc repro reward_model_further@{folder.name}"
    return _REMEDIES.get(folder)


# Revisions of published models whose main branch has pickles only: the same weights as safetensors,
# added by the hub's converter. The first is the commit at
# huggingface.co/hkust-nlp/deita-complexity-scorer/tree/6dc6155fb299dc88668872fd2ebeb00aaa792948;
# the second (discussion 3 on its page) stays unresolved: we found no public page with its commit.
PINNED = {
    "hkust-nlp/deita-complexity-scorer": "6dc6155fb299dc88668872fd2ebeb00aaa792948",
    "hkust-nlp/deita-quality-scorer": "refs/pr/3",
}
# The files of a model's folder that scores depend on; it also records what making it cost.
_DECISIVE = ("*.safetensors", "config.json", "*token*", "*.jinja", "*.model", "vocab*", "merges*")

Count = Annotated[int, Field(ge=1)]
Threads = Annotated[int, Field(ge=1, le=1024)]  # with many more, OpenMP dies silently
Tokens = Annotated[int, Field(ge=2)]  # a single token has none before it to be predicted from


@dataclass(frozen=True)
class Reader:
    """A model on its device, its tokenizer, and the most tokens it reads."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    most: int


def find_model(model: str, revision: str | None) -> Path:
    """The folder of a model: ``base``, ``reward``, one of `reward_models`, a local one, a hub id's.

    InputError where there is none.
    """
    folder = MODELS.get(model) or layout.REWARD_MODELS / model
    if model not in MODELS and not folder.is_dir():
        return model_folder(model, revision or PINNED.get(model))
    if folder.is_dir() and not (folder / "config.json").is_file():
        read_sealed(folder, _remedy(folder) or "")
        raise InputError(
            f"{folder}: holds no model, as there were no preference pairs to train one on; name "
            "one in reward_model.source, or leave out the scorers that use it"
        )
    return folder


def model_folder_hash(folder: Path) -> str:
    """The hash of a model's weights, configuration, tokenizer and template.

    InputError names a file of one of the pipeline's models that has changed since it was made.
    """
    if remedy := _remedy(folder):
        files = read_sealed(folder, remedy)
    else:
        paths = (path for pattern in _DECISIVE for path in folder.glob(pattern))
        files = {path.name: file_hash(path) for path in paths if path.is_file()}
    decisive = (n for n in sorted(files) if any(fnmatch(n, pattern) for pattern in _DECISIVE))
    return value_hash([(name, files[name]) for name in decisive])


def read_with(
    load: Callable[..., "PreTrainedModel"],
    model: str,
    revision: str | None,
    max_length: int,
    device: Device,
    threads: int,
) -> Reader:
    """Load a model with `load`, and its tokenizer; bfloat16 on CUDA, float32 on a CPU."""
    import torch

    where = pick_device(device)
    if where == "cpu":
        torch.set_num_threads(threads)
    folder = find_model(model, revision)
    tokenizer = load_tokenizer(folder)
    made = load(folder, dtype=torch.bfloat16 if where == "cuda" else torch.float32)
    made = made.to(where).eval()  # pyright: ignore
    context = getattr(made.config.get_text_config(), "max_position_embeddings", None)
    most = min(max_length, context or max_length, tokenizer.model_max_length)
    if most < 2:
        raise InputError(f"{folder}: its context is {most} token; a scorer's model needs 2 or more")
    return Reader(made, tokenizer, most)
