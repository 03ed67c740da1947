"""The text around prompt and response: one object, the tokenizer's own `chat_template`.

Training, generation, scoring and lm-eval all render through it. A model that brings none gets one
of ours (`harness/templates/`). Ours mark assistant turns with `{% generation %}`, as TRL's
assistant-only loss wants them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Messages = list[dict[str, str]]

_HERE = Path(__file__).parent / "templates"
TEMPLATES: dict[str, Path] = {
    "alpaca": _HERE / "alpaca.jinja",
    "alpaca_short": _HERE / "alpaca_short.jinja",
}


def ensure_template(tokenizer: "PreTrainedTokenizerBase", name: str) -> None:
    """Give the tokenizer the template `name` of TEMPLATES, unless it brings one of its own.

    Raises InputError for an unknown name and for a tokenizer without an end token: what ends a
    response could not be learnt.
    """
    if name not in TEMPLATES:
        raise InputError(f"template: no template {name!r}; choose from {', '.join(TEMPLATES)}")
    if tokenizer.eos_token is None:
        raise InputError(f"{tokenizer.name_or_path}: the tokenizer has no end token (eos_token)")
    if tokenizer.chat_template:
        return
    text = TEMPLATES[name].read_text(encoding="utf-8")
    # A tokenizer that starts every text with a token does so to rendered conversations too, but
    # only when it is asked for special tokens; the template has to be complete without.
    begin = tokenizer.bos_token_id
    if begin is not None and tokenizer("").input_ids[:1] == [begin]:
        text = "{{- bos_token -}}" + text
    tokenizer.chat_template = text


def check_template(tokenizer: "PreTrainedTokenizerBase") -> None:
    """Raise InputError where a tokenizer has no template, or one that renders no response.

    The base_model stage sets it.
    """
    from jinja2 import TemplateError

    name = tokenizer.name_or_path
    if not tokenizer.chat_template:
        told = "the tokenizer has no chat template; dvc repro base_model writes one with it"
        raise InputError(f"{name}: {told}")
    pair = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because."}]
    try:
        _, learnt = tokenise(tokenizer, pair)
    except TemplateError as error:
        raise InputError(f"{name}: its chat template is broken: {error}") from None
    if not any(learnt):
        raise InputError(f"{name}: its chat template renders no response; nothing could be learnt")


def render(
    tokenizer: "PreTrainedTokenizerBase", messages: Messages, *, add_generation_prompt: bool = False
) -> str:
    """The text of a conversation, ending where the answer begins if `add_generation_prompt`."""
    text = tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=add_generation_prompt
    )
    assert isinstance(text, str)
    return text


def encode(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str]) -> list[list[int]]:
    """Token ids of rendered texts; the template has already written every special token."""
    if not texts:
        return []
    # Quiet: rows longer than the context are cut, and counted, by those who ask.
    return tokenizer(list(texts), add_special_tokens=False, verbose=False).input_ids


def tokenise(
    tokenizer: "PreTrainedTokenizerBase", messages: Messages
) -> tuple[list[int], list[bool]]:
    """Token ids of a conversation and, for each, whether it is learnt.

    Learnt is every assistant turn with its end token, but for those with `weight: 0`. The ids
    before a turn are those of the prompt from which that turn would be generated: where a
    tokenizer merges across the border, prompt and turn are tokenised apart. Raises InputError where
    the template renders a turn differently once others follow, so that no such border exists.
    """
    return tokenise_all(tokenizer, [messages])[0]


def tokenise_all(
    tokenizer: "PreTrainedTokenizerBase", conversations: Sequence[Messages]
) -> list[tuple[list[int], list[bool]]]:
    """`tokenise` of many: one call of the tokenizer for all takes a third of the time."""
    rendered = [_borders(tokenizer, messages) for messages in conversations]
    texts = [text[:end] for text, borders in rendered for end in (*borders, len(text))]
    encoded = iter(encode(tokenizer, texts))
    found = []
    for text, borders in rendered:
        prefixes = [next(encoded) for _ in borders]
        found.append(_marked(tokenizer, text, borders, prefixes, next(encoded)))
    return found


def _marked(
    tokenizer: "PreTrainedTokenizerBase",
    text: str,
    borders: list[int],
    prefixes: list[list[int]],
    ids: list[int],
) -> tuple[list[int], list[bool]]:
    """The ids, those between an odd border and the next marked as learnt."""
    if all(ids[: len(prefix)] == prefix for prefix in prefixes):
        cuts = [len(prefix) for prefix in prefixes]
    else:
        starts = [0, *borders]
        pieces = [text[a:b] for a, b in zip(starts, [*borders, len(text)], strict=True)]
        encoded = [encode(tokenizer, [piece])[0] if piece else [] for piece in pieces]
        ids = [token for piece in encoded for token in piece]
        cuts = [sum(len(piece) for piece in encoded[: i + 1]) for i in range(len(borders))]
    learnt = [False] * len(ids)
    for start, end in zip(cuts[::2], cuts[1::2], strict=True):
        learnt[start:end] = [True] * (end - start)
    return ids, learnt


def _borders(tokenizer: "PreTrainedTokenizerBase", messages: Messages) -> tuple[str, list[int]]:
    """The rendered text, and where in it each assistant turn begins and ends, flattened."""
    text = render(tokenizer, messages)
    borders: list[int] = []
    for i, message in enumerate(messages):
        if message["role"] != "assistant" or "weight" in message:  # 0: not to be learnt
            continue
        prompt = render(tokenizer, messages[:i], add_generation_prompt=True)
        turn = render(tokenizer, messages[: i + 1])
        if not (text.startswith(turn) and turn.startswith(prompt)):
            raise InputError(
                f"{tokenizer.name_or_path}: its chat template changes message {i + 1} of "
                f"{len(messages)} when others follow, so what to learn is unclear; use another "
                "template or single-turn rows"
            )
        borders += [len(prompt), len(turn)]
    return text, borders
