"""Tiny models whose chat template ends turns with another token than their tokenizer's EOS."""

from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizer, PreTrainedTokenizerFast

from tests.conftest import CORPUS

# As Qwen2.5's base: texts end with <|endoftext|>, turns with <|im_end|>.
CHATML = (
    "{%- for m in messages -%}{{- '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' "
    "+ '\\n' -}}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "</s>", "[INST]"]


def byte_level(template: str | None = CHATML) -> PreTrainedTokenizerFast:
    """A byte-level BPE with those special tokens, the first of them its EOS and padding."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(CORPUS * 3, trainer)
    made = PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token=SPECIAL[0], pad_token=SPECIAL[0]
    )
    made.chat_template = template
    return made


def unigram() -> PreTrainedTokenizerFast:
    """A vocabulary that itself has the special tokens as words, with a space put before texts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    letters = sorted({c for text in [*CORPUS, *SPECIAL, CHATML] for c in text} | {"▁"})
    words = [("<unk>", 0.0), *((word, 0.0) for word in SPECIAL), *((c, -5.0) for c in letters)]
    inner = Tokenizer(models.Unigram(words, unk_id=0))
    inner.pre_tokenizer = pre_tokenizers.Metaspace(split=False)
    inner.decoder = decoders.Metaspace()
    made = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token=SPECIAL[0],
        unk_token="<unk>",
        extra_special_tokens=SPECIAL[1:],
    )
    made.chat_template = CHATML
    return made


def sentencepiece() -> PreTrainedTokenizerFast:
    """As Llama-2's: spaces are part of tokens, and decoding takes a text's first one away."""
    from tokenizers import Tokenizer, decoders, models, normalizers

    names = [f"<0x{i:02X}>" for i in range(256)]
    words = [("<unk>", 0.0), *((word, 0.0) for word in SPECIAL), *((b, -20.0) for b in names)]
    words += [(letter, -5.0) for letter in sorted({*"".join(CORPUS), "▁"} - {" ", "\n"})]
    inner = Tokenizer(models.Unigram(words, unk_id=0, byte_fallback=True))
    inner.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    inner.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    made = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token=SPECIAL[0],
        unk_token="<unk>",
        extra_special_tokens=SPECIAL[1:],
    )
    made.chat_template = CHATML
    return made


class Letters(PreTrainedTokenizer):
    """A slow tokenizer, in Python, whose tokens are characters."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401
        self.letters = sorted({c for text in [*CORPUS, *SPECIAL, CHATML] for c in text})
        super().__init__(**kwargs)

    @property
    def vocab_size(self) -> int:
        return len(self.letters) + 1

    def get_vocab(self) -> dict[str, int]:
        return {"<unk>": 0, **{c: i for i, c in enumerate(self.letters, 1)}}

    def _tokenize(self, text: str, **_: object) -> list[str]:
        return list(text)

    def _convert_token_to_id(self, token: str) -> int:
        return self.letters.index(token) + 1 if token in self.letters else 0

    def _convert_id_to_token(self, index: int) -> str:
        return self.letters[index - 1] if index else "<unk>"

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return "".join(tokens)


def letters() -> Letters:
    """The slow tokenizer with the same special tokens and template."""
    made = Letters(eos_token=SPECIAL[0], unk_token="<unk>", extra_special_tokens=SPECIAL[1:])
    made.chat_template = CHATML
    return made


def write_model(tokenizer: PreTrainedTokenizerFast, folder: Path) -> Path:
    """A random Llama of 30,000 parameters for it, whose own config names its EOS only."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    names: Any = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=128,
        tie_word_embeddings=True,
        bos_token_id=None,
        **names,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
