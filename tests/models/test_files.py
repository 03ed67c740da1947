"""Pickles and foreign files that a model's folder leads to are refused before anything is read."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from harness.common.errors import InputError
from harness.embedding.embed import load_encoder, packaged_minilm
from harness.models.loading import load_model, model_folder

DENSE = "sentence_transformers.models.Dense"


class Planted:
    """A pickle that leaves a file when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """An encoder as the hub's cache keeps one: its weights are a link out of the folder."""
    folder = tmp_path / "encoder"
    folder.mkdir()
    for file in packaged_minilm().iterdir():
        (folder / file.name).symlink_to(file)
    return folder


def write(path: Path, value: object) -> None:
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value))


def plant(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pickle.dumps(Planted(path.with_name("pwned"))))


def add_module(folder: Path, path: str, kind: str = DENSE) -> None:
    modules = json.loads((packaged_minilm() / "modules.json").read_text())
    write(folder / "modules.json", [*modules, {"idx": 3, "name": "3", "path": path, "type": kind}])


def refused(folder: Path, message: str) -> None:
    with pytest.raises(InputError) as error:
        model_folder(folder)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(folder.parent.rglob("pwned"))


def test_sound_folders_are_taken(encoder: Path, tiny_model: Path, tmp_path: Path) -> None:
    (encoder / "pytorch_model.bin").write_bytes(b"never read")
    assert model_folder(encoder) == encoder
    add_module(encoder, "2_Dense")
    write(encoder / "2_Dense" / "config.json", {})
    (encoder / "2_Dense" / "model.safetensors").touch()
    assert model_folder(encoder) == encoder
    sharded = tmp_path / "sharded"
    load_model(tiny_model).save_pretrained(sharded, max_shard_size="40KB")
    assert len(list(sharded.glob("*.safetensors"))) > 1
    (sharded / "pytorch_model.bin").write_bytes(b"never read")
    assert load_model(sharded).num_parameters() == load_model(tiny_model).num_parameters()


def test_a_pickle_in_a_module_of_an_encoder(encoder: Path) -> None:
    add_module(encoder, "2_Dense")
    write(encoder / "2_Dense" / "config.json", {"in_features": 384, "out_features": 8})
    plant(encoder / "2_Dense" / "pytorch_model.bin")
    refused(encoder, "2_Dense/pytorch_model.bin: a pickle, which could run code as it is read")
    with pytest.raises(InputError, match="save the weights as safetensors"):
        load_encoder(str(encoder), None)


@pytest.mark.parametrize("path", ["../other", "/other", "2_Dense/../../other", "..\\other"])
def test_a_module_outside_the_folder(encoder: Path, path: str) -> None:
    plant(encoder.parent / "other" / "pytorch_model.bin")
    add_module(encoder, path)
    refused(encoder, f"modules.json: names {path!r}, which is outside the folder")


def test_a_module_of_another_package(encoder: Path) -> None:
    add_module(encoder, "2_Dense", "os.system")
    refused(encoder, "a module of type 'os.system'; only modules of sentence_transformers are run")


def test_a_pickle_behind_a_router(encoder: Path) -> None:
    add_module(encoder, "2_Router", "sentence_transformers.models.Router")
    write(encoder / "2_Router" / "router_config.json", {"types": {"query_0_Dense": DENSE}})
    plant(encoder / "2_Router" / "query_0_Dense" / "pytorch_model.bin")
    refused(encoder, "2_Router/query_0_Dense/pytorch_model.bin: a pickle")
    write(encoder / "2_Router" / "router_config.json", {"types": {"../../other": DENSE}})
    refused(encoder, "2_Router/router_config.json: names '../../other', which is outside")


@pytest.mark.parametrize("shard", ["../other/a.safetensors", "weights.bin", "a.pkl"])
@pytest.mark.parametrize("where", ["index", "config"])
def test_weights_named_elsewhere(tiny_model: Path, tmp_path: Path, shard: str, where: str) -> None:
    folder = tmp_path / "model"
    config = json.loads((tiny_model / "config.json").read_text())
    if where == "config":
        config["transformers_weights"] = shard
    else:
        index = {"metadata": {}, "weight_map": {"model.norm.weight": shard}}
        write(folder / "model.safetensors.index.json", index)
    write(folder / "config.json", config)
    plant(folder / shard)
    refused(folder, f"names {shard!r}; only .safetensors beside it are read")


def test_adapters(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    write(folder / "adapter_config.json", {"base_model_name_or_path": "owner/other"})
    refused(folder, "not a model folder, config.json is missing")
    write(folder / "config.json", json.loads((tiny_model / "config.json").read_text()))
    (folder / "model.safetensors").write_bytes((tiny_model / "model.safetensors").read_bytes())
    plant(folder / "adapter_model.bin")
    refused(folder, "adapter_model.bin: a pickle, which could run code")
    (folder / "adapter_model.bin").unlink()
    (folder / "adapter_model.safetensors").touch()
    refused(folder, "an adapter, which names its base model; merge both")


def test_an_adapter_among_the_modules_of_an_encoder(encoder: Path) -> None:
    """sentence-transformers loads the base model that it names, wherever that is."""
    write(encoder / "adapter_config.json", {"base_model_name_or_path": "owner/other"})
    refused(encoder, "an adapter, which names its base model")
    (encoder / "adapter_config.json").unlink()
    add_module(encoder, "2_Dense")
    write(encoder / "2_Dense" / "adapter_config.json", {"base_model_name_or_path": "owner/other"})
    refused(encoder, "2_Dense: an adapter, which names its base model")
