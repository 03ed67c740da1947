"""Byte-level tokenizers that join a space and a digit, or do not."""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from harness.scorers.rating import DIGITS

TEXTS = [f"x {d} y {d}{d} z:{d} ## Query: Complexity: Quality: {d}" for d in DIGITS]


def byte_level(merged: bool) -> PreTrainedTokenizerFast:
    """Byte-level BPE; `merged`: a space and a digit are one token, as in GPT-2."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600 if merged else 258,
        special_tokens=["<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(TEXTS * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<eos>")
