"""The tokenizer of a base model's source, by which rows are checked before the model is made."""

from typing import TYPE_CHECKING

from harness.models.loading import load_tokenizer
from harness.models.packaged import PACKAGED, packaged_tokenizer
from harness.models.template import check_template, ensure_template

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def source_tokenizer(source: str, revision: str | None, name: str) -> "PreTrainedTokenizerBase":
    """The tokenizer and template of a base model's source; no weights are read.

    That of `scratch` has our template `name` and no vocabulary. InputError as for `load_tokenizer`,
    `packaged_tokenizer` and `check_template`.
    """
    if source == "scratch":
        from tokenizers import Tokenizer, models
        from transformers import PreTrainedTokenizerFast

        inner = Tokenizer(models.BPE())
        made = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|end|>")
        made.name_or_path = f"template {name}"
        ensure_template(made, name)
        return made
    if source in PACKAGED:
        tokenizer = packaged_tokenizer(source)
    else:
        tokenizer = load_tokenizer(source, revision)
    ensure_template(tokenizer, name)
    check_template(tokenizer)
    return tokenizer
