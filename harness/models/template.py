"""The text around prompt and response: one object, the tokenizer's own `chat_template`.

Training, generation, scoring and lm-eval all render through it. A model that brings none gets one
of ours (`harness/models/templates/`). Ours mark assistant turns with `{% generation %}`, as TRL's
assistant-only loss wants them.

What stands in a message is text, never control: a special token that is written out there
(`<|im_end|>`) is wrapped in MARKs by `render`, and `encode` writes it in ordinary tokens.
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


def source_tokenizer(source: str, revision: str | None, name: str) -> "PreTrainedTokenizerBase":
    """What a base model of that source renders by, before there is one: no weights are read.

    Of `scratch` it has our template `name` and knows no word. InputError as for `load_tokenizer`
    and `check_template`.
    """
    if source == "scratch":
        from tokenizers import Tokenizer, models
        from transformers import PreTrainedTokenizerFast

        inner = Tokenizer(models.BPE())
        made = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|end|>")
        made.name_or_path = f"template {name}"
        ensure_template(made, name)
        return made
    from harness.models.loading import load_tokenizer

    tokenizer = load_tokenizer(source, revision)
    ensure_template(tokenizer, name)
    check_template(tokenizer)
    return tokenizer


def ensure_template(tokenizer: "PreTrainedTokenizerBase", name: str) -> None:
    """Give the tokenizer the template `name` of TEMPLATES, unless it brings one of its own.

    Raises InputError for an unknown name, for several templates none of which is the default, and
    for a tokenizer without an end token, which separates texts.
    """
    if name not in TEMPLATES:
        raise InputError(f"template: no template {name!r}; choose from {', '.join(TEMPLATES)}")
    if tokenizer.eos_token is None:
        raise InputError(f"{tokenizer.name_or_path}: the tokenizer has no end token (eos_token)")
    if template_text(tokenizer):
        return
    text = TEMPLATES[name].read_text(encoding="utf-8")
    # A tokenizer that starts every text with a token does so to rendered conversations too, but
    # only when it is asked for special tokens; the template has to be complete without.
    begin = tokenizer.bos_token_id
    if begin is not None and tokenizer("").input_ids[:1] == [begin]:
        text = "{{- bos_token -}}" + text
    tokenizer.chat_template = text


def check_template(tokenizer: "PreTrainedTokenizerBase") -> None:
    """Raise InputError where a tokenizer has no template, or one from which nothing is learnt.

    The base_model stage sets it.
    """
    name = tokenizer.name_or_path
    if not template_text(tokenizer):
        told = "the tokenizer has no chat template; dvc repro base_model writes one with it"
        raise InputError(f"{name}: {told}")
    try:
        text, borders = _borders(tokenizer, PAIR)
    except RefusedError as error:
        raise InputError(f"{name}: its chat template is broken: {error.message}") from None
    if PAIR[-1]["content"] not in text[borders[0] : borders[1]]:
        raise InputError(f"{name}: its chat template renders no response; nothing could be learnt")
    end_of_turn(tokenizer)


def end_of_turn(tokenizer: "PreTrainedTokenizerBase") -> int:
    """The token by which the template ends an assistant's turn, learnt with it: it ends an answer.

    It need not be the tokenizer's `eos_token`, which separates texts: Qwen2.5's base ends turns
    with <|im_end|> and texts with <|endoftext|>. InputError where the template writes none.
    """
    found, after = end_token(tokenizer)
    if found is None:
        raise InputError(
            f"{tokenizer.name_or_path}: its chat template ends an assistant's turn with "
            f"{shown(repr(after))}, no special token, so that a model would never stop; let the "
            f"template write one there, as {tokenizer.eos_token}"
        )
    number = tokenizer.convert_tokens_to_ids(found)
    assert isinstance(number, int)
    return number


def stop_tokens(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """The tokens that end an answer: of the template, the tokenizer, the model's own config."""
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

    Special tokens within a message are wrapped in MARKs. Raises RefusedError where the template
    does; further arguments go to `apply_chat_template`.
    """
    marked = [{**message, "content": mark(tokenizer, message["content"])} for message in messages]
    return written(tokenizer, marked, add_generation_prompt=add_generation_prompt, **more)


def check_conversation(tokenizer: "PreTrainedTokenizerBase", messages: Messages) -> None:
    """Raise RefusedError for a conversation that the template refuses, changes, or leaves part out.

    White space does not count: templates trim.
    """
    text, _ = _borders(tokenizer, messages)
    whole = "".join(text.split())
    for i, message in enumerate(messages, 1):
        if "".join(mark(tokenizer, message["content"]).split()) not in whole:
            told = f"the chat template leaves out (part of) message {i} of {len(messages)}"
            raise RefusedError(tokenizer, told, "the chat template leaves out (part of) a turn")


def tokenise(
    tokenizer: "PreTrainedTokenizerBase", messages: Messages
) -> tuple[list[int], list[bool]]:
    """Token ids of a conversation and, for each, whether it is learnt.

    Learnt is every assistant turn with its end token, but for those with `weight: 0`. The ids
    before a turn are those of the prompt from which that turn would be generated: where a
    tokenizer merges across the border, prompt and turn are tokenised apart. Raises RefusedError
    where the template refuses it, or renders a turn differently once others follow, so that no such
    border exists.
    """
    return tokenise_all(tokenizer, [messages])[0]


def tokenise_all(
    tokenizer: "PreTrainedTokenizerBase",
    conversations: Sequence[Messages],
    names: Sequence[str] | None = None,
) -> list[tuple[list[int], list[bool]]]:
    """`tokenise` of many: one call of the tokenizer for all takes a third of the time.

    With `names`, InputError says whose conversation it is that the template refuses.
    """
    rendered = []
    for i, messages in enumerate(conversations):
        with about(names[i]) if names else nullcontext():
            rendered.append(_borders(tokenizer, messages))
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
