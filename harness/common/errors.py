"""The one error a user is meant to read, and what a message may say: no secret, no escape codes."""

import base64
import difflib
import html
import json
import os
import re
import urllib.parse
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

_LEAST = 8  # signs a secret has at least; under that it is a word, and stands in texts by chance
_LEAST_IN_URL = 4  # of one whose place in a URL says that it is one
_KEY_NAME = re.compile(r"(^|_)(API_?KEY|KEY|TOKEN|SECRET|PAT)$", re.IGNORECASE)
# PGPASSWORD, MYSQL_PWD; but OLDPWD is a folder.
_PASSWORD_NAME = re.compile(r"(PASSWORD|PASSWD|_PWD)$", re.IGNORECASE)
_WORD = re.compile(r"[a-z]{1,16}")
# In a URL: the password, whatever signs it holds, and what a query calls a token or a key.
_URL_PASSWORD = re.compile(r"://[^/?#\s:@]*:((?:(?!://)\S)+)@")
_URL_TOKEN = re.compile(r"[?&]\w*(?:key|token|secret|password)=([^&#\s]+)", re.IGNORECASE)
_registered: dict[str, int] = {}  # and the signs each must have
# C0, DEL, C1, marks that turn the direction of a text, separators of
# lines, and halves of a character, which no UTF-8 terminal takes.
_CONTROLS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


class InputError(ValueError):
    """Bad input, told in one line: what was found, the rule it breaks, and the remedy.

    A stage prints the message after ``error:`` and exits with status 1; no traceback is shown.
    """

    def __init__(self, message: str) -> None:
        """Take the message, which loses what `hide` hides."""
        super().__init__(hide(message))


def shown(value: object, most: int = 60) -> str:
    """What was given as a message has it: secrets hidden, and only then cut to so many signs."""
    text = hide(str(value)[: most + 10_000])
    return text if len(text) <= most else f"{text[: most - 3]}..."


def one_line(value: object, most: int = 160) -> str:
    """What a library said, as part of a message: on one line, secrets hidden, then cut."""
    return shown(" ".join(str(value)[: most + 10_000].split()), most)


def nearest(name: object, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` where a known name is near, else the list of them all."""
    name, choices = shown(name), sorted(known)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; choices: {', '.join(choices) or 'none'}"


def printable(text: object, keep: str = "") -> str:
    r"""A text on one line, its control characters written out (``\n``, ``\x1b``) but for some.

    A terminal, a page or a table would obey them.
    """

    def written(sign: re.Match[str]) -> str:
        return sign[0] if sign[0] in keep else sign[0].encode("unicode_escape").decode()

    return _CONTROLS.sub(written, str(text))


def add_secret(value: str, least: int = _LEAST) -> None:
    """Hide this from now on, whatever it came from, if it has so many signs (4 at least)."""
    _registered[value] = least


def is_key(value: str) -> bool:
    """Whether a value can be a key: of 8 signs or more, and no plain word (``timestamp``)."""
    return len(value) >= _LEAST and not _WORD.fullmatch(value)


def secrets() -> frozenset[str]:
    """The keys, tokens and passwords that this process knows.

    The environment's by the variable's name (``OPENAI_API_KEY``, ``HF_TOKEN``) or by its value, a
    URL with a password; the hub's login; and what `add_secret` was given.
    """
    found = {value for value, least in _registered.items() if len(value) >= least}
    for name, value in os.environ.items():
        if "://" in value:
            found.update(_URL_PASSWORD.findall(value))
            found.update(one for one in _URL_TOKEN.findall(value) if len(one) >= _LEAST)
        # One that holds a path names where a key lies: hidden, no message could name a file there.
        if os.path.isabs(value) and os.path.exists(value):
            continue
        told = value.strip()
        # A password may be a plain word; what is called a key and is one (SORT_KEY) is none.
        password = _PASSWORD_NAME.search(name) and len(told) >= _LEAST
        if password or (_KEY_NAME.search(name) and is_key(told)):
            found.add(told)
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{cache}/huggingface"
    login = Path(os.environ.get("HF_TOKEN_PATH") or f"{home}/token")
    with suppress(OSError, ValueError, RuntimeError):  # none, no text, or no home
        token = login.expanduser().read_text(encoding="utf-8").strip()
        found.update({token} if len(token) >= _LEAST else ())
    return frozenset(secret for secret in found if len(secret) >= _LEAST_IN_URL)


def hide(text: str, known: frozenset[str] | None = None) -> str:
    """The text with ``***`` in place of each secret, and of each piece of one of 8 signs or more.

    As it is, or as JSON, URLs, HTML and an Authorization header write it. Pieces, because a library
    may have cut a text before it came here. ``known`` stands for `secrets`.
    """
    pieces = _pieces(secrets() if known is None else known)
    secret = bytearray(len(text))
    for size in {len(piece) for piece in pieces}:
        for i in range(len(text) - size + 1):
            if text[i : i + size] in pieces:
                secret[i : i + size] = b"*" * size
    made, at = [], 0
    for run in re.finditer(rb"\*+", secret):
        made += [text[at : run.start()], "***"]
        at = run.end()
    return "".join([*made, text[at:]])


@lru_cache(maxsize=8)
def _pieces(known: frozenset[str]) -> frozenset[str]:
    written = {form for secret in known for form in _written(secret)}
    return frozenset(
        form[i : i + _LEAST]  # a form that is shorter, as a whole
        for form in written
        if len(form) >= _LEAST_IN_URL
        for i in range(max(1, len(form) - _LEAST + 1))
    )


def _written(secret: str) -> set[str]:
    """The ways in which others write a secret."""
    raw = _bytes(secret)
    plain = urllib.parse.unquote(secret)  # one that stands in a URL
    quoted = {urllib.parse.quote(raw, safe=safe) for safe in ("", "/", "/+=:")}
    lower = {re.sub(r"%..", lambda sign: sign[0].lower(), one) for one in quoted}
    escaped = {json.dumps(secret)[1:-1], repr(secret)[1:-1], repr(raw)[2:-1], html.escape(secret)}
    in_json = {json.dumps(secret)[1:-1].replace("/", "\\/")}
    # base64 of `user:password`: what stands before it decides which of three ways it is written.
    headers = set()
    for before in range(3):
        text = base64.b64encode(bytes(before) + raw).decode()
        inner = text[-(-before * 8 // 6) :].rstrip("=")[:-1]  # the rest depends on its neighbours
        headers |= {inner, inner.replace("+", "-").replace("/", "_")}
    return {secret, plain, *quoted, *lower, *escaped, *in_json, *headers}


def _bytes(secret: str) -> bytes:
    """What the environment holds need not be UTF-8, and a hidden secret must end no message."""
    try:
        return secret.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a character that stands for no byte
        return secret.encode("utf-8", "surrogatepass")
