"""How many parameters a model has, by the headers of its safetensors: no weight is read."""

import json
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from harness.common.errors import InputError
from harness.common.files import read_json
from harness.models.files import INDEX

# The end of a tensor's name, in the architectures of transformers. A token only looks up its row.
TOKENS = ("embed_tokens", "wte", "word_embeddings", "embed_in", "tok_embeddings", "shared")
PLACES = ("wpe", "position_embeddings", "token_type_embeddings", "embed_positions")
HEADS = ("lm_head", "embed_out")  # a causal model without one multiplies by its token embeddings
HEADER = 8  # bytes that hold the length of a safetensors header


def parameter_counts(folder: Path) -> dict[str, int]:
    """``parameters`` of a model, and ``multiplied_parameters``: N of `harness.common.flops`.

    N leaves out tables that a token only looks up in, as Kaplan et al. 2020 do: the embeddings of
    tokens and positions. A table that is the output head too (tied) is multiplied there, and counts
    once, as an untied head does. All experts of a mixture count. A table of a name that is not
    known here counts as multiplied. InputError for a folder without readable safetensors.
    """
    tensors = dict(_tensors(folder))
    if not tensors:
        raise InputError(f"{folder}: no safetensors to count parameters of; give a model's folder")
    config = folder / "config.json"
    kinds = read_json(config).get("architectures") if config.is_file() else None
    causal = any("CausalLM" in kind or "LMHead" in kind for kind in kinds or ())
    tied = causal and not any(_is(name, HEADS) for name in tensors)
    looked_up = PLACES if tied else (*TOKENS, *PLACES)
    total = sum(tensors.values())
    idle = sum(size for name, size in tensors.items() if _is(name, looked_up))
    return {"parameters": total, "multiplied_parameters": total - idle}


def _is(name: str, ends: tuple[str, ...]) -> bool:
    return name.rpartition("/")[2].removesuffix(".weight").rpartition(".")[2] in ends


def _tensors(folder: Path) -> Iterator[tuple[str, int]]:
    """The name and size of each tensor of floats, those of an encoder's modules included."""
    for place in sorted({path.parent for path in folder.rglob("*.safetensors")}):
        for file in _weight_files(place):
            for name, tensor in _header(file).items():
                if name != "__metadata__" and tensor["dtype"].startswith(("F", "BF")):
                    yield f"{place.relative_to(folder)}/{name}", prod(tensor["shape"])


def _weight_files(folder: Path) -> list[Path]:
    """What is loaded of a folder that may hold the same weights twice."""
    if (folder / INDEX).is_file():
        names = read_json(folder / INDEX)["weight_map"].values()
        return [folder / name for name in sorted(set(names))]
    whole = folder / "model.safetensors"
    return [whole] if whole.is_file() else sorted(folder.glob("*.safetensors"))


def _header(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            return json.loads(stream.read(int.from_bytes(stream.read(HEADER), "little")))
    except (OSError, ValueError, MemoryError, OverflowError):
        raise InputError(f"{file}: not safetensors; download the model again") from None
