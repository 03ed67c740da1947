"""Renders and tokenises conversations by the tokenizer's own `chat_template`.

Training, generation, scoring and lm-eval all use it. A model without one gets one of ours
(`harness/models/templates/`), which mark assistant turns with `{% generation %}`, as TRL's
assistant-only loss expects.

Text in a message is never control: `render` wraps a special token that is written out there
(`<|im_end|>`) in MARKs, and `encode` writes it in ordinary tokens.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from harness.common.errors import InputError, shown
from harness.common.schemas import Messages
from harness.models.templates.special_tokens import encode, mark
from harness.models.templates.writing import (
    PAIR,
    RefusedError,
    about,
    end_token,
    template_text,
    written,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_HERE = Path(__file__).parent / "templates"
TEMPLATES: dict[str, Path] = {
    "alpaca": _HERE / "alpaca.jinja",
    "alpaca_short": _HERE / "alpaca_short.jinja",
}


def ensure_template(tokenizer: "PreTrainedTokenizerBase", name: str) -> None:
    """Give the tokenizer the template `name` of TEMPLATES, unless it has its own.

    InputError for an unknown name, several templates of which none is the default, and a tokenizer
    without an end token, which separates texts.
    """
    if name not in TEMPLATES:
        raise InputError(f"template: no template {name!r}; choose from {', '.join(TEMPLATES)}")
    if tokenizer.eos_token is None:
        raise InputError(f"{tokenizer.name_or_path}: the tokenizer has no end token (eos_token)")
    if template_text(tokenizer):
        return
    text = TEMPLATES[name].read_text(encoding="utf-8")
    # A tokenizer may start every text with a token, but only when it adds special tokens; the
    # template must be complete without.
    begin = tokenizer.bos_token_id
    if begin is not None and tokenizer("").input_ids[:1] == [begin]:
        text = "{{- bos_token -}}" + text
    tokenizer.chat_template = text


def check_template(tokenizer: "PreTrainedTokenizerBase") -> None:
    """Raise InputError for a tokenizer without a template, or with one that teaches nothing."""
    name = tokenizer.name_or_path
    if not template_text(tokenizer):
        rule = "the tokenizer has no chat template; dvc repro base_model gives it one"
        raise InputError(f"{name}: {rule}")
    try:
        text, borders = _borders(tokenizer, PAIR)
    except RefusedError as error:
        raise InputError(f"{name}: its chat template is broken: {error.message}") from None
    if PAIR[-1]["content"] not in text[borders[0] : borders[1]]:
        raise InputError(f"{name}: its chat template renders no response; nothing could be learnt")
    end_of_turn(tokenizer)


def end_of_turn(tokenizer: "PreTrainedTokenizerBase") -> int:
    """The token with which the template ends an assistant turn; it is learnt with the turn.

    It need not be the tokenizer's `eos_token`, which separates texts: Qwen2.5's base ends turns
    with <|im_end|> and texts with <|endoftext|>. InputError where the template writes none.
    """
    token, after = end_token(tokenizer)
    if token is None:
        raise InputError(
            f"{tokenizer.name_or_path}: its chat template ends an assistant's turn with "
            f"{shown(repr(after))}, not a special token, so a model would never stop; let the "
            f"template write one there, such as {tokenizer.eos_token}"
        )
    number = tokenizer.convert_tokens_to_ids(token)
    assert isinstance(number, int)
    return number


def stop_tokens(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """The tokens that end an answer: the template's, the tokenizer's, the model config's."""
    config = model.generation_config
    given = config.eos_token_id if config is not None else None
    named = given if isinstance(given, list) else [given]
    every = [end_of_turn(tokenizer), tokenizer.eos_token_id, *named]
    return sorted({token for token in every if isinstance(token, int)})


def render(
    tokenizer: "PreTrainedTokenizerBase",
    messages: Messages,
    *,
    add_generation_prompt: bool = False,
    **more: object,
) -> str:
    """The text of a conversation, ending where the answer begins if `add_generation_prompt`.

    Special tokens within a message are wrapped in MARKs. Raises RefusedError; further arguments go
    to `apply_chat_template`.
    """
    marked = [{**message, "content": mark(tokenizer, message["content"])} for message in messages]
    return written(tokenizer, marked, add_generation_prompt=add_generation_prompt, **more)


def check_conversation(tokenizer: "PreTrainedTokenizerBase", messages: Messages) -> None:
    """Raise RefusedError for a conversation that the template refuses, changes or shortens.

    White space is ignored: templates trim.
    """
    text, _ = _borders(tokenizer, messages)
    whole = "".join(text.split())
    for i, message in enumerate(messages, 1):
        if "".join(mark(tokenizer, message["content"]).split()) not in whole:
            rule = "the chat template leaves out (part of) "
            message_i = f"{rule}message {i} of {len(messages)}"
            raise RefusedError(tokenizer, message_i, f"{rule}a turn")


def tokenise(
    tokenizer: "PreTrainedTokenizerBase", messages: Messages
) -> tuple[list[int], list[bool]]:
    """Token ids of a conversation and, for each, whether it is learnt.

    Every assistant turn is learnt, with its end token, unless it has `weight: 0`. The ids before a
    turn are those of the prompt from which it would be generated: where a tokenizer merges across
    the border, prompt and turn are tokenised separately. RefusedError where the template refuses
    the conversation, or renders a turn differently once others follow, so that there is no border.
    """
    return tokenise_all(tokenizer, [messages])[0]


def tokenise_all(
    tokenizer: "PreTrainedTokenizerBase",
    conversations: Sequence[Messages],
    names: Sequence[str] | None = None,
) -> list[tuple[list[int], list[bool]]]:
    """`tokenise` many with one call of the tokenizer, which takes a third of the time.

    With `names`, InputError names the conversation that the template refuses.
    """
    rendered = []
    for i, messages in enumerate(conversations):
        with about(names[i]) if names else nullcontext():
            rendered.append(_borders(tokenizer, messages))
    texts = [text[:end] for text, borders in rendered for end in (*borders, len(text))]
    encoded = iter(encode(tokenizer, texts))
    return [
        _marked(tokenizer, text, borders, [next(encoded) for _ in borders], next(encoded))
        for text, borders in rendered
    ]


def _marked(
    tokenizer: "PreTrainedTokenizerBase",
    text: str,
    borders: list[int],
    prefixes: list[list[int]],
    ids: list[int],
) -> tuple[list[int], list[bool]]:
    """The ids, and whether each is learnt: those between an odd border and the next."""
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
    """The rendered text, and a flat list of where each assistant turn begins and ends in it."""
    text = render(tokenizer, messages)
    borders: list[int] = []
    for i, message in enumerate(messages):
        if message["role"] != "assistant" or "weight" in message:  # 0: not to be learnt
            continue
        prompt = render(tokenizer, messages[:i], add_generation_prompt=True)
        turn = render(tokenizer, messages[: i + 1]) if i + 1 < len(messages) else text
        if not (text.startswith(turn) and turn.startswith(prompt)):
            raise RefusedError(
                tokenizer,
                f"its chat template changes message {i + 1} of {len(messages)} when others follow, "
                "so what to learn is unclear; use another template or single-turn rows",
                "the chat template changes a turn when others follow",
            )
        borders += [len(prompt), len(turn)]
    return text, borders
