"""Turns a row of any known format into a conversation; FORMATS has the formats.

docs/pools.md says what becomes of every other field: read (`input`, `system`, `history`, a turn's
`weight`), refused, or left out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from harness.common.errors import printable, shown
from harness.pools.fields import Fields, is_blank
from harness.pools.raw_rows import OR_DROP, BadRowError, kind

Message = dict[str, Any]  # role, content; `weight: 0` on an assistant turn that is not learnt
ROLES = {
    "system": "system",
    "developer": "system",  # OpenAI's newer word for it
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
}
INPUT = ("input", "context")
SYSTEM = ("system", "system_prompt")
WEIGHT = ("weight", "train", "training", "loss")  # OpenAI's, Axolotl's, ms-swift's
# They change what a response means: a model that learnt the text alone would learn it wrong.
REFUSED = {
    **dict.fromkeys(("tools", "functions"), "tools are not supported"),
    **dict.fromkeys(("tool_calls", "function_call"), "tool calls are not supported"),
    **dict.fromkeys(("reasoning_content", "reasoning", "thinking"), "reasoning is not supported"),
    **dict.fromkeys(
        ("image", "images", "video", "videos", "audio", "audios"),
        "images, video and sound are not supported",
    ),
}
# Texts that say a refused field is unused: an empty list as text, a switch.
NOTHING = ("[]", "{}", "null", "none", "no", "off", "false", "disabled", "0")
UNKNOWN, MIXED = "no known format", "mixed formats"
REFUSED_REMEDY = f"remove the field{OR_DROP}"


@dataclass(frozen=True)
class Format:
    """A format of rows; the table in docs/pools.md is made from the entries.

    Attributes:
        read: makes the conversation of a row, given the row and the name of ``field``.
        field: a row in which it is filled is in this format.
        beside: the other fields it reads, in Markdown.
        source: whose format it is.
    """

    read: Callable[[Fields, str], list[Message]]
    field: str
    beside: str
    source: str


def format_of(row: Fields) -> str:
    """The format a row is in; an empty field counts only where no other format's is filled."""
    for present in (row.is_filled, row.values.__contains__):
        for name, form in FORMATS.items():
            if present(form.field):
                return name
    fields = ", ".join(shown(printable(name)) for name in sorted(row.values)[:6]) or "none"
    known = ", ".join(form.field for form in FORMATS.values())
    raise BadRowError(UNKNOWN, f"fields: {fields}", f"expected one of these: {known}")


def _pair(row: Fields, question: str, answers: tuple[str, ...]) -> list[Message]:
    """A question and its answer, after any earlier turns; the input follows a blank line."""
    _refuse(row)
    prompt = row.text((question,), question)
    given = row.optional_text(INPUT, "input")
    if given is not None:
        prompt = f"{prompt}\n\n{given}"
    response = row.text(answers, "response")
    return [*_system(row), *_history(row), *_exchange(prompt, response)]


def _exchange(prompt: str, response: str) -> list[Message]:
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]


def _system(row: Fields) -> list[Message]:
    text = row.optional_text(SYSTEM, "system turn")
    return [] if text is None else [{"role": "system", "content": text}]


def _history(row: Fields) -> list[Message]:
    """Earlier turns as LLaMA-Factory and ChatGLM store them: [[question, answer], ...]."""
    if not row.is_filled("history"):
        return []
    given = row.get("history")
    turns: list[Message] = []
    for number, pair in enumerate(given if isinstance(given, list) else [given], 1):
        if not isinstance(pair, list) or len(pair) != 2:
            raise BadRowError("a history that is not a list of pairs", f"element {number}")
        exchange = Fields(dict(zip(("question", "answer"), pair, strict=True)))
        asked = exchange.text(("question",), "user turn of the history")
        turns += _exchange(asked, exchange.text(("answer",), "response of the history"))
    return turns


def _refuse(fields: Fields, where: str = "") -> None:
    """Raise BadRowError for a field that a template would have to write, and does not."""
    for name, rule in REFUSED.items():
        if fields.is_filled(name) and str(fields.get(name)).strip().casefold() not in NOTHING:
            raise BadRowError(rule, f"{where}{name}", REFUSED_REMEDY)


def _conversation(
    row: Fields, field: str, roles: tuple[str, ...], texts: tuple[str, ...]
) -> list[Message]:
    _refuse(row)
    given = row.get(field)
    if not isinstance(given, list):
        raise BadRowError(f"{field} is not a list", f"it is {kind(given)}")
    if row.is_filled("history"):
        raise BadRowError(f"{field} and a history", remedy="keep one of them")
    turns: list[Message] = []
    for number, turn in enumerate(given, 1):
        if not isinstance(turn, dict):
            raise BadRowError("a turn that is not an object", f"turn {number} is {kind(turn)}")
        fields = Fields(turn)
        message = _turn(fields, number, roles, texts)
        row.fields_of_turns |= {f"{field}.{name}" for name in fields.left_out()}
        if message["role"] == "system":
            if number > 1:
                raise BadRowError("a system turn that is not the first", f"turn {number}")
            if is_blank(message["content"]):
                continue  # ShareGPT dumps carry empty system turns
        elif message["role"] == "assistant" and not any(m["role"] == "user" for m in turns):
            raise BadRowError("an assistant turn before any user turn", f"turn {number}")
        turns.append(message)
    return _with_system(row, _learnt(turns))


def _learnt(turns: list[Message]) -> list[Message]:
    """The turns up to the last that is learnt: what follows teaches nothing."""
    rule = "a conversation with no assistant turn"
    if any(turn["role"] == "assistant" for turn in turns):
        rule += " that is learnt"
    while turns and (turns[-1]["role"] != "assistant" or "weight" in turns[-1]):
        turns.pop()
    if not turns:
        raise BadRowError(rule)
    return turns


def _with_system(row: Fields, turns: list[Message]) -> list[Message]:
    """The turns, after the system turn that a field of the row gives, if any."""
    own = _system(row)
    if not own or turns[0]["role"] != "system":
        return own + turns
    if turns[0] != own[0]:
        raise BadRowError("two system turns", "a field of the row and turn 1", "keep one of them")
    return turns


def _turn(turn: Fields, number: int, roles: tuple[str, ...], texts: tuple[str, ...]) -> Message:
    role = turn.get(turn.filled(roles, "role") or roles[0])
    if role is None:
        raise BadRowError("a turn with no role", f"turn {number} has no {roles[0]}")
    if not isinstance(role, str) or role not in ROLES:
        detail = f"turn {number}: {shown(role, 40)!r}; known: {', '.join(ROLES)}"
        raise BadRowError("an unknown role", detail)
    role = ROLES[role]
    _refuse(turn, f"turn {number}: ")
    what = "response" if role == "assistant" else f"{role} turn"
    value = turn.text(texts, what, f"turn {number}", may_be_blank=role == "system")
    masked = not _is_learnt(turn, number) and role == "assistant"
    return {"role": role, "content": value} | ({"weight": 0} if masked else {})


def _is_learnt(turn: Fields, number: int) -> bool:
    """What a turn's weight says; learnt where it has none."""
    name = turn.filled(WEIGHT, "weight")
    value = 1 if name is None else turn.get(name)
    if not isinstance(value, bool | int | float) or value not in (0, 1):
        detail = f"turn {number}: {name} is {str(value)[:40]!r}"
        raise BadRowError("a weight that is neither 0 nor 1", detail)
    return bool(value)


def _pairs(field: str, answers: tuple[str, ...], source: str) -> Format:
    beside = " or ".join(f"`{answer}`" for answer in answers)
    return Format(partial(_pair, answers=answers), field, beside, source)


# A row is in the first format whose field it has; many datasets carry `prompt` beside `messages`.
FORMATS = {
    "messages": Format(
        partial(_conversation, roles=("role", "from"), texts=("content", "value")),
        "messages",
        "`role`: system, developer, user, assistant; `content`",
        "OpenAI",
    ),
    "sharegpt": Format(
        partial(_conversation, roles=("from", "role"), texts=("value", "content")),
        "conversations",
        "`from`: system, human, gpt (or user, assistant); `value`; or `role` and `content`",
        "ShareGPT",
    ),
    "alpaca": _pairs("instruction", ("output", "response"), "Alpaca, Dolly"),
    "prompt_completion": _pairs("prompt", ("completion", "response"), "OpenAI, TRL"),
    "question_answer": _pairs("question", ("answer", "response"), "GSM8K"),
}
