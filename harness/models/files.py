"""Checks that the files of a model's folder lead to safetensors within it, and nothing else."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from harness.common.errors import InputError, shown
from harness.common.files import read_json

INDEX = "model.safetensors.index.json"
# What a library falls back on where the file on the right is missing.
PICKLES = {
    "pytorch_model.bin": "model.safetensors",
    "adapter_model.bin": "adapter_model.safetensors",
}
OURS = "sentence_transformers."  # the package of an encoder's modules


def check_model_files(folder: Path, encoder: bool = False) -> None:
    """Raise InputError where loading a folder would read a pickle, leave it, or run other code.

    This follows what its files name: shards, weights in the configuration, an adapter's base, the
    modules of an encoder. ``encoder``: the folder is a module's, whose index of shards is not read.
    """
    encoder = encoder or (folder / "modules.json").is_file()
    sharded = (folder / INDEX).is_file() and not encoder
    for pickle, wanted in PICKLES.items():
        if (folder / pickle).is_file() and not sharded and not (folder / wanted).is_file():
            rule = "a pickle, which could run code as it is read"
            raise InputError(f"{folder / pickle}: {rule}; save the weights as safetensors")
    # With peft installed, libraries load it too, and some the base model that it names.
    if (folder / "adapter_config.json").is_file():
        rule = "an adapter, which names its base model"
        raise InputError(f"{folder}: {rule}; merge both (merge_and_unload) and give that folder")
    for path, name in _named_weights(folder):
        if "/" in name or "\\" in name or not name.endswith((".safetensors", ".index.json")):
            rule = "only .safetensors beside it are read"
            raise InputError(f"{path}: names {shown(repr(name))}; {rule}")
    for path, name, kind in _named_modules(folder):
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
            raise InputError(f"{path}: names {shown(repr(name))}, which is outside the folder")
        if not kind.startswith(OURS):
            rule = f"only modules of {OURS.rstrip('.')} are run"
            raise InputError(f"{path}: a module of type {shown(repr(kind))}; {rule}")
        if PurePosixPath(name).parts:
            check_model_files(folder / name, encoder=True)


def _named_weights(folder: Path) -> Iterator[tuple[Path, str]]:
    """The weight files that an index or a configuration names, with the file that names them."""
    for path in sorted(folder.glob("*.safetensors.index.json")):
        shards = _read(path).get("weight_map")
        for name in sorted(set(map(str, shards.values()))) if isinstance(shards, dict) else ():
            yield path, name
    path = folder / "config.json"
    named = _read(path).get("transformers_weights") if path.is_file() else None
    if named is not None:
        yield path, str(named)


def _named_modules(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """The folder and type of each module of an encoder, and the file that names it."""
    path = folder / "modules.json"
    for module in _read(path).get("", []) if path.is_file() else ():
        entry = module if isinstance(module, dict) else {}
        yield path, str(entry.get("path", "")), str(entry.get("type", ""))
    path = folder / "router_config.json"
    types = _read(path).get("types") if path.is_file() else None
    for name, kind in types.items() if isinstance(types, dict) else ():
        yield path, str(name), str(kind)


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; a list becomes the value of the key ``""``."""
    content = read_json(path, "download the model again")
    return (
        content if isinstance(content, dict) else {"": content if isinstance(content, list) else []}
    )
