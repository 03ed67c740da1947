"""The reward scorer: any classifier of one output, read as the model itself would."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerBase

from harness.common.errors import InputError
from harness.models.loading import load_tokenizer
from harness.models.template import render
from harness.reward_model.classifier import conversation_ids, cut_ids, load_classifier
from harness.scorers.reward_model import reward_model
from tests.helpers.classifiers import one_by_one, save_classifier
from tests.helpers.scored_rows import POOL, pair, pool_of


@pytest.fixture(scope="module")
def classifier(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_classifier(tiny_model, tmp_path_factory.mktemp("classifier"))


def rendered(tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    texts = [render(tokenizer, one) for one in POOL.conversations()]
    return [tokenizer(text, add_special_tokens=False).input_ids for text in texts]


@pytest.mark.parametrize("batch_size", [1, 2, 64])
@pytest.mark.parametrize("pad", [True, False])
def test_a_logit_is_that_of_the_conversation_alone(
    tiny_model: Path, tmp_path: Path, pad: bool, batch_size: int
) -> None:
    folder = save_classifier(tiny_model, tmp_path, pad=pad)
    expected = one_by_one(folder, rendered(load_tokenizer(folder)))
    result = reward_model(POOL, model=str(folder), batch_size=batch_size)
    assert result.dtype == np.float64
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)
    assert len(set(np.round(result, 4))) == len(POOL)


def test_a_classifier_that_reads_its_first_token(tmp_path: Path) -> None:
    """A BERT has neither chat template nor end token, but special tokens around every text."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    inner = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    texts = ["The capital of Zanu is Lubi. Add one. ### Instruction: Response:"] * 4
    inner.train_from_iterator(texts, trainers.WordPieceTrainer(special_tokens=special))
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
        id2label={0: "reward"},
    )
    torch.manual_seed(0)
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    rows = [conversation_ids(tokenizer, one, "alpaca_short") for one in POOL.conversations()]
    assert {(row[0], row[-1]) for row in rows} == {(1, 2)}
    expected = one_by_one(tmp_path, rows)
    for batch_size in (1, 3):
        result = reward_model(
            POOL, model=str(tmp_path), template="alpaca_short", batch_size=batch_size
        )
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(InputError, match="template: no template 'none'; choose from alpaca"):
        reward_model(POOL, model=str(tmp_path), template="none")


def test_what_is_too_long_loses_its_beginning(
    classifier: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tokenizer = load_tokenizer(classifier)
    pool = pool_of(pair("la " * 300, "The end."), pair("One?", "1"))
    ids = conversation_ids(tokenizer, next(pool.conversations()), "")
    with caplog.at_level("INFO", "harness"):
        result = reward_model(pool, model=str(classifier))
    assert "reward_model: 1 of 2 rows are over 128 tokens: cut" in caplog.text
    expected = one_by_one(classifier, [ids[-128:]])[0]
    assert result[0] == pytest.approx(expected, rel=1e-4)
    begin = tokenizer.all_special_ids[0]
    assert cut_ids(tokenizer, [begin, *range(10, 30)], 5) == [begin, 26, 27, 28, 29]
    assert cut_ids(tokenizer, [9, *range(10, 30)], 5) == [25, 26, 27, 28, 29]
    assert cut_ids(tokenizer, [9, 10], 2) == [9, 10]


def test_a_language_model_is_not_a_reward_model(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a model of 2 outputs; a reward model is a sequence"):
        reward_model(POOL, model=str(tiny_model))
    two = save_classifier(tiny_model, tmp_path / "two", labels=2)
    with pytest.raises(InputError, match="a model of 2 outputs"):
        reward_model(POOL, model=str(two))


def test_a_head_without_weights_is_refused(
    tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from transformers import AutoConfig

    from harness.models.loading import load_model

    load_model(tiny_model).save_pretrained(tmp_path)
    load_tokenizer(tiny_model).save_pretrained(tmp_path)
    config = AutoConfig.from_pretrained(tiny_model, num_labels=1)
    config.save_pretrained(tmp_path)
    with pytest.raises(
        InputError, match=r"the weights lack score\.weight; not a saved sequence classifier"
    ):
        reward_model(POOL, model=str(tmp_path))


def test_missing_and_broken_models_are_one_line(classifier: Path, tmp_path: Path) -> None:
    import shutil

    with pytest.raises(InputError, match="no such model folder"):
        reward_model(POOL, model=str(tmp_path / "none"))
    broken = Path(shutil.copytree(classifier, tmp_path / "broken"))
    (broken / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(InputError, match="the model cannot be loaded") as error:
        load_classifier(broken)
    assert "\n" not in str(error.value)
    pickled = Path(shutil.copytree(classifier, tmp_path / "pickled"))
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pytorch_model\.bin: a pickle"):
        load_classifier(pickled)
