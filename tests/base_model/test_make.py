"""A base model of one's own: what is copied, and what is refused before anything is trained."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from harness.base_model.make import make_base_model
from harness.common.errors import InputError
from harness.models.loading import load_model, load_tokenizer
from harness.params.base_model import PretrainParams

WEIGHTS = "model.safetensors"


def make(source: Path, out: Path) -> None:
    params = PretrainParams(source=str(source))
    make_base_model(params, "alpaca_short", out.parent / "none.parquet", out)


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "mine"))


def test_only_what_a_model_needs_is_copied(model: Path, tmp_path: Path) -> None:
    (model / "evil.py").write_text("raise SystemExit")
    (model / "pytorch_model.bin").write_bytes(b"pickle")
    (model / ".git").mkdir()
    (model / ".git" / "config").write_text("")
    make(model, tmp_path / "base")
    names = {path.name for path in (tmp_path / "base").iterdir()}
    assert {WEIGHTS, "config.json", "base_model.json"} <= names
    assert not names & {"evil.py", "pytorch_model.bin", ".git"}
    assert "### Response" in str(load_tokenizer(tmp_path / "base").chat_template)
    ours, theirs = load_model(tmp_path / "base"), load_model(model)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(a, b)
    info = json.loads((tmp_path / "base" / "base_model.json").read_text())
    assert info["parameters"] == sum(weight.numel() for weight in ours.parameters())


def cut(model: Path) -> None:
    data = (model / WEIGHTS).read_bytes()
    (model / WEIGHTS).write_bytes(data[: len(data) // 2])


def lose(model: Path) -> None:
    weights = load_file(model / WEIGHTS)
    kept = {name: w for name, w in weights.items() if "o_proj" not in name}
    save_file(kept, model / WEIGHTS, metadata={"format": "pt"})


def spoil(model: Path) -> None:
    weights = load_file(model / WEIGHTS)
    weights["model.norm.weight"][3] = torch.nan
    save_file(weights, model / WEIGHTS, metadata={"format": "pt"})


def configure(**changes: object) -> Callable[[Path], None]:
    def write(model: Path) -> None:
        path = model / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return write


def template(text: str) -> Callable[[Path], object]:
    return lambda model: (model / "chat_template.jinja").write_text(text)


def more_tokens(model: Path) -> None:
    tokenizer = load_tokenizer(model)
    tokenizer.add_tokens([f"<new{i}>" for i in range(100)])
    tokenizer.save_pretrained(model)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (cut, "the model cannot be loaded"),
        (lose, "the weights lack model.layers.0.self_attn.o_proj.weight"),
        (spoil, "model.norm.weight holds NaN or infinity"),
        (configure(hidden_size=64), "the model cannot be loaded"),
        (configure(model_type="evil"), "cannot be loaded"),
        (lambda model: (model / "config.json").write_text("{}"), "holds no model_type"),
        (lambda model: (model / "config.json").write_text("[]"), "holds no model_type"),
        (lambda model: (model / "config.json").unlink(), "config.json is missing"),
        (lambda model: (model / WEIGHTS).unlink(), "the model cannot be loaded"),
        (lambda model: (model / "tokenizer.json").unlink(), "the tokenizer cannot be loaded"),
        (template("{% if %}"), "its chat template is broken"),
        (template("always the same"), "its chat template renders no response"),
        (more_tokens, "they belong to different models"),
    ],
)
def test_what_would_fail_later_is_refused(
    model: Path, tmp_path: Path, harm: Callable[[Path], object], message: str
) -> None:
    out = tmp_path / "base"
    out.mkdir()
    (out / "earlier").write_text("kept")
    harm(model)
    with pytest.raises(InputError) as error:
        make(model, out)
    assert message in str(error.value)
    assert str(error.value).startswith(str(model))
    assert "\n" not in str(error.value)
    assert [path.name for path in out.iterdir()] == ["earlier"]


@pytest.mark.parametrize("source", [".", "..", "nowhere/at/all"])
def test_a_folder_without_a_model_is_not_copied(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match=r"config.json is missing|no such model folder"):
        make(Path(source), tmp_path / "here" / "data" / "base")
    assert not list((tmp_path / "here" / "data").iterdir())
