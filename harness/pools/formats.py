"""Turns a row of any known format into a conversation; one table, FORMATS.

| format | fields |
|---|---|
| messages | `messages`: [{role: system, user, assistant; content}] (OpenAI) |
| sharegpt | `conversations`: [{from: system, human, gpt; value}] |
| alpaca | `instruction`, `input` (optional; Dolly's `context` too), `output` or `response` |
| prompt_completion | `prompt`, `completion` or `response` |
| question_answer | `question`, `answer` (GSM8K) |
"""

import unicodedata
from collections.abc import Callable
from typing import Any

from harness.errors import shown
from harness.pools.rows import BadRowError, kind

Message = dict[str, str]
ROLES = {
    "system": "system",
    "developer": "system",  # OpenAI's newer word for it
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
}
# Drawn as nothing, though letters or signs to Unicode: the Hangul fillers and the braille blank.
FILLERS = "\u115f\u1160\u3164\uffa0\u2800"


def messages(row: dict[str, Any]) -> list[Message]:
    """OpenAI's form."""
    return _conversation(row["messages"], "messages", "role", "content")


def sharegpt(row: dict[str, Any]) -> list[Message]:
    """ShareGPT's form."""
    return _conversation(row["conversations"], "conversations", "from", "value")


def alpaca(row: dict[str, Any]) -> list[Message]:
    """Alpaca's form: the input follows the instruction after a blank line."""
    prompt = _text(row, ("instruction",), "instruction")
    given = row.get("input", row.get("context"))
    if given is not None and not isinstance(given, str):
        raise BadRowError("the input is no text", f"it is {kind(given)}")
    if given:
        check_text(given, "input")
    if given and not is_blank(given):
        prompt = f"{prompt}\n\n{given}"
    return _pair(prompt, _text(row, ("output", "response"), "response"))


def prompt_completion(row: dict[str, Any]) -> list[Message]:
    """A prompt and its completion."""
    prompt = _text(row, ("prompt",), "prompt")
    return _pair(prompt, _text(row, ("completion", "response"), "response"))


def question_answer(row: dict[str, Any]) -> list[Message]:
    """A question and its answer."""
    return _pair(_text(row, ("question",), "question"), _text(row, ("answer",), "response"))


# The first format whose field a row has is the row's; many sets carry `prompt` beside `messages`.
FORMATS: dict[str, Callable[[dict[str, Any]], list[Message]]] = {
    "messages": messages,
    "sharegpt": sharegpt,
    "alpaca": alpaca,
    "prompt_completion": prompt_completion,
    "question_answer": question_answer,
}
FIELD = {
    "messages": "messages",
    "sharegpt": "conversations",
    "alpaca": "instruction",
    "prompt_completion": "prompt",
    "question_answer": "question",
}


def format_of(row: dict[str, Any]) -> str:
    """The format a row is in; a field that is null counts only where no other is given."""
    for present in (lambda key: row.get(key) is not None, lambda key: key in row):
        for name, key in FIELD.items():
            if present(key):
                return name
    fields = ", ".join(sorted(map(str, row))[:6]) or "none"
    wanted = ", ".join(FIELD.values())
    raise BadRowError("no known format", f"fields: {fields}", f"one of these is wanted: {wanted}")


def check_text(value: str, what: str) -> None:
    """Refuse text that cannot be written as UTF-8."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        found = f"\\u{ord(value[error.start]):04x} in the {what}"
        raise BadRowError("a lone surrogate", found) from None


def is_blank(value: str) -> bool:
    """Whether a text shows nothing: white space, control and format characters, fillers."""
    return all(
        c.isspace() or c in FILLERS or unicodedata.category(c) in ("Cc", "Cf") for c in value
    )


def _text(row: dict[str, Any], keys: tuple[str, ...], what: str) -> str:
    given = [key for key in keys if row.get(key) is not None]
    if len(given) > 1:
        raise BadRowError(f"two {what}s", " and ".join(given), f"keep one field for the {what}")
    if not given:
        if any(key in row for key in keys):
            raise BadRowError(f"null {what}")
        raise BadRowError(f"no {what}", f"no field {' or '.join(keys)}")
    value = row[given[0]]
    if not isinstance(value, str):
        raise BadRowError(f"the {what} is no text", f"{given[0]} is {kind(value)}")
    return _not_blank(value, what)


def _not_blank(value: str, what: str) -> str:
    check_text(value, what)
    if is_blank(value):
        raise BadRowError(f"blank {what}")
    return value


def _pair(prompt: str, response: str) -> list[Message]:
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]


def _conversation(turns: object, field: str, role_key: str, text_key: str) -> list[Message]:
    if not isinstance(turns, list):
        raise BadRowError(f"{field} is no list", f"it is {kind(turns)}")
    found: list[Message] = []
    for number, turn in enumerate(turns, 1):
        message = _turn(turn, number, role_key, text_key)
        if message["role"] == "system":
            if number > 1:
                raise BadRowError("a system turn that is not the first", f"turn {number}")
            if is_blank(message["content"]):
                continue  # ShareGPT dumps carry empty system turns
        elif message["role"] == "assistant" and not any(m["role"] == "user" for m in found):
            raise BadRowError("an assistant turn before any user turn", f"turn {number}")
        found.append(message)
    # What follows the last answer teaches nothing: every learnt token is an assistant's.
    while found and found[-1]["role"] != "assistant":
        found.pop()
    if not found:
        raise BadRowError("a conversation with no assistant turn")
    return found


def _turn(turn: object, number: int, role_key: str, text_key: str) -> Message:
    if not isinstance(turn, dict):
        raise BadRowError("a turn that is no object", f"turn {number} is {kind(turn)}")
    role = turn.get(role_key)
    if role is None:
        raise BadRowError("a turn with no role", f"turn {number} has no {role_key}")
    if not isinstance(role, str) or role not in ROLES:
        known = ", ".join(ROLES)
        found = f"turn {number}: {shown(role, 40)!r}; known: {known}"
        raise BadRowError("an unknown role", found)
    what = "response" if ROLES[role] == "assistant" else f"{ROLES[role]} turn"
    value = turn.get(text_key)
    if value is None:
        rule = "null" if text_key in turn else "no"
        raise BadRowError(f"{rule} {what}", f"turn {number}")
    if not isinstance(value, str):
        raise BadRowError(f"the {what} is no text", f"turn {number} is {kind(value)}")
    check_text(value, what)
    if is_blank(value) and ROLES[role] != "system":
        raise BadRowError(f"blank {what}", f"turn {number}")
    return {"role": ROLES[role], "content": value}
