"""Expected digits: the published prompts, the digits' tokens, and the mean over six logits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from harness.common.errors import InputError
from harness.models.loading import load_model, load_tokenizer
from harness.scorers import chunks
from harness.scorers.deita_complexity import deita_complexity
from harness.scorers.deita_quality import deita_quality
from harness.scorers.rating import DIGITS, ids_of, learnt_pairs, prompt_text, read_question
from tests.helpers.byte_level import TEXTS, byte_level
from tests.helpers.scored_rows import POOL, decoded, pair, pool_of


def llama_like() -> PreTrainedTokenizerFast:
    """As Llama's: a token before every text, spaces as marks, and digits apart from them."""
    inner = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(prepend_scheme="first", split=False),
            pre_tokenizers.Digits(individual_digits=True),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=200, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False
    )
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ#:.\n?'() +=,"
    inner.train_from_iterator([*TEXTS, *letters], trainer)
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


KINDS = {
    "apart": lambda: byte_level(False),
    "merged": lambda: byte_level(True),
    "llama": llama_like,
}


def scorer_model(tokenizer: PreTrainedTokenizerFast, folder: Path) -> Path:
    """A random Llama of that vocabulary."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=512,
        pad_token_id=None,
        initializer_range=0.3,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_the_prompts_are_the_published_ones() -> None:
    """The released code's templates, filled in."""
    assert prompt_text("deita_complexity", "Add {1}\n", "no") == (
        "You are a helpful assistant. Please identify the complexity score of the following user "
        "query. \n##Query: Add {1}\n  \n##Complexity: "
    )
    assert prompt_text("deita_quality", "Add <1>.", "{{ x }}") == (
        "You are a helpful assistant. Please identify the quality score of the Response "
        "corresponding to the Question. \n #Question#:\nAdd <1>.\n#Response#:\n{{ x }} \n"
        "##Quality: "
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_digits_tokens_are_found(kind: str) -> None:
    tokenizer = KINDS[kind]()
    question = read_question(tokenizer, "deita_complexity")
    assert question.space == (kind != "merged")
    messages = [decoded(tokenizer, [token]) for token in question.answers]
    assert [text.strip() for text in messages] == list(DIGITS)
    assert all(text.startswith(" ") for text in messages) == (kind == "merged")
    for digit, token in zip(DIGITS, question.answers, strict=True):
        whole = tokenizer(prompt_text("deita_complexity", "Add one.", "") + digit).input_ids
        assert whole == [*ids_of(tokenizer, question, "Add one.", ""), token]


def test_digits_of_several_tokens_are_refused(tmp_path: Path) -> None:
    inner = Tokenizer(models.WordLevel({"x": 0, "[UNK]": 1}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="[UNK]")
    folder = scorer_model(tokenizer, tmp_path)
    rule = (
        "scorer deita_quality: .*: its tokenizer has no single token for each of the digits 1 to 6"
    )
    with pytest.raises(InputError, match=rule):
        deita_quality(POOL, model=str(folder))


@pytest.mark.parametrize("kind", KINDS)
def test_a_score_is_the_mean_digit(kind: str, tmp_path: Path) -> None:
    folder = scorer_model(KINDS[kind](), tmp_path)
    model, tokenizer = load_model(folder).eval(), load_tokenizer(folder)
    pool = POOL.take(slice(4))

    def naive(prompt: str, instruction: str, response: str) -> float:
        text = prompt_text(prompt, instruction, response)
        text = text.rstrip(" ") if kind == "merged" else text
        answers = [tokenizer(f"{text} {d}" if kind == "merged" else text + d) for d in DIGITS]
        with torch.inference_mode():
            logits = model(torch.tensor([tokenizer(text).input_ids])).logits[0, -1].double()
        weights = torch.softmax(logits[[a.input_ids[-1] for a in answers]], dim=0)
        return float(weights @ torch.arange(1, 7, dtype=torch.float64))

    texts = list(zip(pool.frame["prompt"], pool.frame["response"], strict=True))
    for batch_size in (1, 3):
        result = deita_complexity(pool, model=str(folder), batch_size=batch_size)
        expected = [naive("deita_complexity", *text) for text in texts]
        np.testing.assert_allclose(result, expected, rtol=1e-4)
        result = deita_quality(pool, model=str(folder), batch_size=batch_size)
        expected = [naive("deita_quality", *text) for text in texts]
        np.testing.assert_allclose(result, expected, rtol=1e-4)
    assert 1 < result.min() < result.max() < 6


def test_a_conversation_has_the_mean_of_its_turns(tmp_path: Path) -> None:
    folder = scorer_model(byte_level(False), tmp_path)
    asked = {"role": "system", "content": "Be brief."}
    turns = [asked, *pair("One?", "1"), *pair("Two?", "It is two.")]
    assert learnt_pairs(turns) == [("Be brief.\n\nOne?", "1"), ("Two?", "It is two.")]
    apart = pool_of(pair("Be brief.\n\nOne?", "1"), pair("Two?", "It is two."))
    for scorer in (deita_complexity, deita_quality):
        whole = scorer(pool_of(turns), model=str(folder))
        assert whole[0] == pytest.approx(scorer(apart, model=str(folder)).mean(), rel=1e-5)


def test_the_tokens_that_are_read_are_counted(tmp_path: Path) -> None:
    folder, scratch = scorer_model(byte_level(False), tmp_path / "model"), tmp_path / "scratch"
    scratch.mkdir()
    tokenizer = load_tokenizer(folder)
    question = read_question(tokenizer, "deita_quality")
    pairs = [pair for messages in POOL.conversations() for pair in learnt_pairs(messages)]
    lengths = [len(ids_of(tokenizer, question, *pair)) for pair in pairs]
    most = sorted(lengths)[-2]
    deita_quality(POOL, scratch, model=str(folder), max_length=most)
    assert len(pairs) == len(POOL) + 1
    assert chunks.chunk_reads(scratch) == (len(POOL), sum(min(n, most) for n in lengths))
    assert max(lengths) > most


def test_a_long_text_is_cut_within_its_prompt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = scorer_model(byte_level(False), tmp_path)
    tokenizer = load_tokenizer(folder)
    question = read_question(tokenizer, "deita_complexity")
    frame = len(ids_of(tokenizer, question, "", ""))
    end = ids_of(tokenizer, question, "", "")[-question.end :]
    assert decoded(tokenizer, end).strip() == "##Complexity:"
    pool = pool_of(pair("ab" * 300, "1"), pair("ab" * 10, "1"))
    with caplog.at_level("INFO", "harness"):
        result = deita_complexity(pool, model=str(folder), max_length=frame + 20)
    assert f"1 of 2 rows are over {frame + 20} tokens: cut" in caplog.text
    assert result[0] == pytest.approx(result[1], rel=1e-5)


def test_progress_is_reported_batch_by_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages: list[int] = []

    @contextmanager
    def counting(desc: str, total: int) -> Iterator[Callable[[int], object]]:
        yield messages.append

    monkeypatch.setattr(chunks, "counting", counting)
    folder = scorer_model(byte_level(False), tmp_path)
    turns = [*pair("One?", "1"), *pair("Two " * 9, "2")]
    pool = pool_of(turns, *[pair(f"Say {i} {'x' * i}.", "1") for i in range(6)])
    deita_complexity(pool, model=str(folder), batch_size=2)
    assert len(messages) == 4
    # A conversation counts once, with the last of its turns.
    assert sum(messages) == 7
    assert max(messages) == 2
