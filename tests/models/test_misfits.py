"""A model that does not fit its tokenizer or its configuration is refused in one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.common.errors import InputError
from harness.models.loading import VOCABULARIES, load_model, load_tokenizer
from harness.reward_model.classifier import load_classifier
from harness.scorers import SCORERS
from tests.helpers.byte_level import byte_level
from tests.helpers.scored_rows import POOL, pair, pool_of

READERS = ("reward_model", "perplexity", "ifd", "deita_quality")


def classifier(base: Path, out: Path, **changes: int) -> Path:
    """A classifier with a random head, of another size than its tokenizer where asked for."""
    from transformers import AutoConfig, AutoModelForSequenceClassification

    config = AutoConfig.from_pretrained(base, num_labels=1)
    config.update({"pad_token_id": 0, **changes})
    with torch.random.fork_rng():
        AutoModelForSequenceClassification.from_config(config).save_pretrained(out)
    load_tokenizer(base).save_pretrained(out)
    return out


def edit(folder: Path, **changes: Any) -> None:  # noqa: ANN401  (as JSON has them)
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def refused(work: Callable[[], object], folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        work()
    line = str(caught.value)
    assert line.startswith(f"{folder}: ")
    assert "\n" not in line
    return line


def test_a_folder_without_a_tokenizer_gets_none_made_up(tiny_model: Path, tmp_path: Path) -> None:
    folder = classifier(tiny_model, tmp_path / "m")
    (folder / "tokenizer.json").unlink()
    # Of these classes transformers makes one up, with or without its configuration.
    for kind in ("GPT2Tokenizer", "BertTokenizer", "LlamaTokenizer"):
        (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": kind}))
        work = lambda: SCORERS["reward_model"](POOL, model=str(folder))  # noqa: E731
        assert "no tokenizer (tokenizer.json, " in refused(work, folder)
    # One of bytes has no vocabulary to lack.
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "ByT5Tokenizer"}')
    assert len(load_tokenizer(folder)("two").input_ids) == 4
    assert VOCABULARIES[0] == "tokenizer.json"


def test_an_encoder_without_a_tokenizer(tmp_path: Path) -> None:
    from harness.embedding.embed import load_encoder, packaged_minilm

    folder = tmp_path / "encoder"
    shutil.copytree(packaged_minilm(), folder)
    for name in ("tokenizer.json", "vocab.txt"):
        (folder / name).unlink(missing_ok=True)
    with pytest.raises(InputError, match="no tokenizer") as caught:
        load_encoder(str(folder), None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("scorer", READERS)
def test_tokens_that_the_model_does_not_embed(
    tiny_model: Path, tmp_path: Path, scorer: str
) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    if scorer == "reward_model":
        folder = classifier(tiny_model, tmp_path / "m", vocab_size=50)
    else:
        config = AutoConfig.from_pretrained(tiny_model)
        config.vocab_size = 50
        AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "m")
        # Only in the one of bytes the digits that answer are tokens of their own.
        made = byte_level(False) if scorer == "deita_quality" else load_tokenizer(tiny_model)
        made.save_pretrained(tmp_path / "m")
        folder = tmp_path / "m"
    line = refused(lambda: SCORERS[scorer](POOL, model=str(folder), threads=1), folder)
    assert "the model embeds 50; they belong to different models" in line


def test_a_tokenizer_may_know_more_than_the_texts_need(tiny_model: Path, tmp_path: Path) -> None:
    folder = classifier(tiny_model, tmp_path / "m")
    tokenizer = load_tokenizer(folder)
    tokenizer.add_tokens(["<never said>"])
    tokenizer.save_pretrained(folder)
    assert len(SCORERS["reward_model"](pool_of(pair("One?", "1")), model=str(folder))) == 1


WRONG = {
    "other sizes": {"hidden_size": 64},
    "a wrong type": {"num_attention_heads": "two"},
    "a null": {"hidden_size": None},
    "no such kind": {"model_type": "nothing_known"},
}


@pytest.mark.parametrize("load", [load_model, load_classifier])
@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG.keys())
def test_a_configuration_that_does_not_fit(
    tiny_model: Path, tmp_path: Path, load: Callable, changes: dict[str, Any]
) -> None:
    folder = classifier(tiny_model, tmp_path / "m")
    edit(folder, **changes)
    assert "the model cannot be loaded: " in refused(lambda: load(folder), folder)


def test_a_damaged_tokenizer(tiny_model: Path, tmp_path: Path) -> None:
    folder = classifier(tiny_model, tmp_path / "m")
    (folder / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes()[:-90])
    line = refused(lambda: load_tokenizer(folder), folder)
    assert "the tokenizer cannot be loaded: " in line


def test_a_model_that_reads_one_token(tiny_model: Path, tmp_path: Path) -> None:
    folder = classifier(tiny_model, tmp_path / "m")
    edit(folder, max_position_embeddings=1)
    work = lambda: SCORERS["reward_model"](POOL, model=str(folder))  # noqa: E731
    assert "its context is 1 token" in refused(work, folder)
