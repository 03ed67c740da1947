"""Special tokens: those of a template are control, those written out in a row's text are text."""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from harness.common.errors import InputError
from harness.models.templates.writing import any_of, end_token

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MARK = "\ufdd0"  # a Unicode noncharacter; where a row's text has one, it is wrapped too
_CONTROLS: "WeakKeyDictionary[Any, tuple[object, re.Pattern[str]]]" = WeakKeyDictionary()


def _controls(tokenizer: "PreTrainedTokenizerBase") -> re.Pattern[str]:
    """Matches what must not be read as control in a row's text, and MARK itself."""
    state = len(tokenizer), tokenizer.chat_template, tokenizer.eos_token
    if (kept := _CONTROLS.get(tokenizer)) is not None and kept[0] == state:
        return kept[1]
    added = tokenizer.added_tokens_decoder.values()
    tokens = {token.content for token in added if token.special} | {*tokenizer.all_special_tokens}
    with suppress(InputError):  # no template, or one that is refused elsewhere
        tokens |= {end_token(tokenizer)[0] or ""}
    pattern = any_of([MARK, *(token for token in tokens if token.strip())])
    _CONTROLS[tokenizer] = state, pattern
    return pattern


def mark(tokenizer: "PreTrainedTokenizerBase", text: str) -> str:
    """A row's text with its special tokens wrapped, so that `encode` writes them as text."""
    return _controls(tokenizer).sub(rf"{MARK}\g<0>{MARK}", text)


def encode(
    tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str], add_special_tokens: bool = False
) -> list[list[int]]:
    """Token ids of rendered texts, which have their special tokens from the template.

    What is wrapped in MARKs is written in ordinary tokens.
    """
    if not texts:
        return []
    plain = [text for text in texts if MARK not in text]
    # Quiet: callers cut and count rows that are longer than the context.
    how: Any = {"add_special_tokens": add_special_tokens, "verbose": False}
    encoded = iter(tokenizer(plain, **how).input_ids if plain else [])
    before, after = _around(tokenizer) if add_special_tokens else ([], [])
    return [
        [*before, *_encode_marked(tokenizer, text), *after] if MARK in text else next(encoded)
        for text in texts
    ]


def _encode_marked(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    """Ids of a text with MARKs; one whose partner a template has stripped is dropped."""
    pieces = re.split(rf"{MARK}({_controls(tokenizer).pattern}){MARK}|{MARK}", text)
    ids = encode(tokenizer, pieces[:1])[0] if pieces[0] else []
    for i, piece in enumerate(pieces[1:], 1):
        if piece:
            ids += _encode_piece(tokenizer, piece, as_text=i % 2 == 1)
    return ids


def _encode_piece(tokenizer: "PreTrainedTokenizerBase", piece: str, as_text: bool) -> list[int]:
    """Ids of a text from the middle of another, with no special token if `as_text`."""

    def ids_of(text: str) -> list[int]:
        given: Any = {"add_special_tokens": False, "split_special_tokens": as_text}
        return tokenizer(text, verbose=False, **given).input_ids

    # After a line break: many tokenizers add a space at the beginning of a text.
    ids, line = ids_of("\n" + piece), ids_of("\n")
    ids = ids[len(line) :] if ids[: len(line)] == line else ids_of(piece)
    special = {*tokenizer.added_tokens_decoder, *tokenizer.all_special_ids}
    if as_text and len(piece) > 1 and special & {*ids}:
        # The vocabulary itself has the word, but not its two parts.
        return [t for part in (piece[:1], piece[1:]) for t in _encode_piece(tokenizer, part, True)]
    return ids


def _around(tokenizer: "PreTrainedTokenizerBase") -> tuple[list[int], list[int]]:
    """The special tokens that the tokenizer puts before and after a text."""
    bare = tokenizer("x", add_special_tokens=False).input_ids
    whole = tokenizer("x").input_ids
    start = next(i for i in range(len(whole)) if whole[i : i + len(bare)] == bare)
    return whole[:start], whole[start + len(bare) :]
