from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.base_model.pretraining import learning_rate, make_tokenizer, pretrain, token_stream
from harness.common.errors import InputError
from harness.common.files import file_hash, read_json
from harness.params.base_model import PretrainParams

SMALL = PretrainParams(
    source="scratch",
    vocab_size=300,
    layers=1,
    hidden=16,
    heads=2,
    context=64,
    block=32,
    batch_tokens=128,
    tokens=128 * 40,
    learning_rate=1e-2,
    threads=1,
)
TEXTS = [f"The capital of {name} is Lubi." for name in ("Zanu", "Borel", "Kitara")] * 40


def test_the_tokenizer_writes_any_string_without_loss() -> None:
    tokenizer = make_tokenizer(TEXTS, SMALL)
    for text in ["  two\n\n\tspaces ", "naïve ☕ 漢字 \U0001f600", "### Instruction:\n", ""]:
        assert tokenizer.decode(tokenizer(text).input_ids) == text
    assert 258 < len(tokenizer) <= SMALL.vocab_size  # three sentences have few pairs to merge
    assert len(tokenizer(" Lubi.").input_ids) <= 2
    stream = token_stream(TEXTS, tokenizer)
    assert (stream == tokenizer.eos_token_id).sum() == len(TEXTS)


def test_pretraining_learns_and_repeats_byte_by_byte(tmp_path: Path) -> None:
    first = pretrain(TEXTS, tmp_path / "a", SMALL, seed=3)
    second = pretrain(TEXTS, tmp_path / "b", SMALL, seed=3)
    other = pretrain(TEXTS, tmp_path / "c", SMALL, seed=4)
    losses = [point["loss"] for point in first["loss_curve"]]
    assert losses[-1] < 0.5 * losses[0]
    assert first["steps"] == 40
    assert first["tokens"] == SMALL.tokens
    assert first["loss_curve"] == second["loss_curve"]
    weights = [file_hash(tmp_path / name / "model.safetensors") for name in ("a", "b", "c")]
    assert weights[0] == weights[1] != weights[2]
    assert first["loss_curve"] != other["loss_curve"]


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_the_saved_model_generates(architecture: str, tmp_path: Path) -> None:
    from harness.models.loading import load_model, load_tokenizer

    changes = {"tokens": 128 * 150, "architecture": architecture}
    pretrain(TEXTS, tmp_path / "m", SMALL.model_copy(update=changes), seed=0)
    assert read_json(tmp_path / "m" / "config.json")["model_type"] == architecture
    tokenizer, model = load_tokenizer(tmp_path / "m"), load_model(tmp_path / "m")
    assert model.dtype.is_floating_point
    assert next(tmp_path.joinpath("m").glob("*.safetensors")).is_file()
    prompt = tokenizer("The capital of", return_tensors="pt")
    output = model.generate(**prompt, max_new_tokens=20, do_sample=False)  # pyright: ignore
    assert " is Lubi." in tokenizer.decode(output[0])


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"hidden": 100, "heads": 3}, "hidden 100 with heads 3"),
        ({"hidden": 12, "heads": 4}, "an even width a head"),
        ({"block": 65}, "block 65 with context 64"),
    ],
)
def test_a_shape_no_model_can_have_is_refused(change: dict[str, int], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        PretrainParams.model_validate(SMALL.model_dump() | change)
    PretrainParams.model_validate(SMALL.model_dump() | {"hidden": 12, "heads": 2, "block": 64})


def test_too_little_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give more text"):
        pretrain(["short"], tmp_path / "m", SMALL, seed=0)


def test_the_rate_rises_and_falls() -> None:
    params = SMALL.model_copy(update={"warmup": 0.1, "learning_rate": 1.0})
    rates = [learning_rate(step, 100, params) for step in range(100)]
    assert rates[9] == 1.0
    assert rates[:10] == sorted(rates[:10])
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[-1] < 0.06
