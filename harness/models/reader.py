"""The models that scorers read by: found by a word, a folder or a hub id, and put on a device."""

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

# Words for the models that the pipeline makes.
MODELS: dict[str, Path] = {"base": layout.BASE_MODEL, "reward": layout.REWARD_MODEL}
_REMEDIES = {
    layout.BASE_MODEL: "dvc repro base_model",
    layout.REWARD_MODEL: "dvc repro reward_model",
}
# Revisions for published models whose main branch holds pickles only: the same weights as
# safetensors, added by the hub's converter. The first is the commit of
# huggingface.co/hkust-nlp/deita-complexity-scorer/tree/6dc6155fb299dc88668872fd2ebeb00aaa792948;
# of the second (discussion 3 of its page) no public page that we could read gives the commit: it
# stays unresolved.
PINNED = {
    "hkust-nlp/deita-complexity-scorer": "6dc6155fb299dc88668872fd2ebeb00aaa792948",
    "hkust-nlp/deita-quality-scorer": "refs/pr/3",
}
# What a score depends on in a model's folder; what its making took is in there too.
_DECISIVE = ("*.safetensors", "config.json", "*token*", "*.jinja", "*.model", "vocab*", "merges*")

Count = Annotated[int, Field(ge=1)]
Threads = Annotated[int, Field(ge=1, le=1024)]  # OpenMP dies of many more, without a word
Tokens = Annotated[int, Field(ge=2)]  # one has no token before it to be predicted from


@dataclass(frozen=True)
class Reader:
    """A model on its device, its tokenizer, and how many tokens it reads at most."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    most: int


def find_model(model: str, revision: str | None) -> Path:
    """The folder of a model: ``base``, ``reward``, a local folder or a hub id at a revision.

    Raises InputError where it cannot be had.
    """
    folder = MODELS.get(model)
    if folder is None:
        return model_folder(model, revision or PINNED.get(model))
    if folder.is_dir() and not (folder / "config.json").is_file():
        read_sealed(folder, _REMEDIES[folder])
        raise InputError(
            f"{folder}: holds no model, as there were no preference pairs to train one on; name a "
            "model in reward_model.source, or leave out the scorers that read it"
        )
    return folder


def model_folder_hash(folder: Path) -> str:
    """The hash of a model's weights, configuration, tokenizer and template.

    InputError names a file of a model of the pipeline's that is not as it was made.
    """
    if folder in _REMEDIES:
        files = read_sealed(folder, _REMEDIES[folder])
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
    """Load a model by `load` and its tokenizer; bfloat16 on CUDA, float32 on a CPU."""
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
    if most < 2:  # what `max_length` is bound to
        raise InputError(
            f"{folder}: reads {most} token at a time; a scorer's model reads 2 or more"
        )
    return Reader(made, tokenizer, most)
