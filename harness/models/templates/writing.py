"""Renders a conversation by a tokenizer's chat template; says what the template refuses."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.common.errors import InputError, one_line

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PAIR = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because."}]
# Put before a template that writes today's date, so that it writes the one that Llama 3's falls
# back on: otherwise the same row would have other ids tomorrow.
_FIXED_DATE = (Path(__file__).parent / "fixed_date.jinja").read_text(encoding="utf-8").rstrip("\n")


class RefusedError(InputError):
    """A conversation that a chat template does not render; data cards count them by `rule`."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", message: str, rule: str) -> None:
        super().__init__(f"{tokenizer.name_or_path}: {message}")
        self.message, self.rule = message, rule


@contextmanager
def about(name: str) -> Iterator[None]:
    """Put the row's name before a RefusedError."""
    try:
        yield
    except RefusedError as error:
        raise InputError(f"{name}: {error}") from None


def written(
    tokenizer: "PreTrainedTokenizerBase", messages: Sequence[dict[str, str]], **how: object
) -> str:
    """The text of a conversation; RefusedError where the template refuses it.

    Further arguments go to `apply_chat_template`.
    """
    template = template_text(tokenizer)
    if template and "strftime_now" in template:
        how = {"chat_template": _FIXED_DATE + template, **how}
    try:
        apply: Any = tokenizer.apply_chat_template
        text = apply(list(messages), tokenize=False, **how)
    # A template may fail in any way that an expression can.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        rule = f"the chat template refuses the conversation: {one_line(reason)}"
        raise RefusedError(tokenizer, rule, rule) from None
    assert isinstance(text, str)
    return text


def template_text(tokenizer: "PreTrainedTokenizerBase") -> str | None:
    """The chat template, None without one; InputError for several of which none is the default."""
    given: Any = tokenizer.chat_template
    if not given or isinstance(given, str):
        return given or None
    if "default" not in given:
        names = ", ".join(sorted(given))
        raise InputError(
            f"{tokenizer.name_or_path}: the tokenizer has the chat templates {names}, none of them "
            "called default; keep the one that is meant as its chat_template"
        )
    return given["default"]


def end_token(tokenizer: "PreTrainedTokenizerBase") -> tuple[str | None, str]:
    """The first special token after an assistant's content, None without one; and all the rest."""
    after = written(tokenizer, PAIR).rpartition(PAIR[-1]["content"])[2]
    added = [token.content for token in tokenizer.added_tokens_decoder.values()]
    tokens = [token for token in {*added, *tokenizer.all_special_tokens} if token.strip()]
    first = any_of(tokens).search(after) if tokens else None
    return (first[0] if first else None), after


def any_of(texts: Sequence[str]) -> re.Pattern[str]:
    """A pattern that matches any of the texts, the longest first."""
    return re.compile("|".join(map(re.escape, sorted(texts, key=lambda text: (-len(text), text)))))
