"""The error that users read, and text fit for messages: no secrets, no control characters."""

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

_LEAST = 8  # characters of a secret; anything shorter occurs in texts by chance
_LEAST_IN_URL = 4  # of a secret that its place in a URL gives away
_KEY_NAME = re.compile(r"(^|_)(API_?KEY|KEY|TOKEN|SECRET|PAT)$", re.IGNORECASE)
# PGPASSWORD, MYSQL_PWD; but OLDPWD is a folder.
_PASSWORD_NAME = re.compile(r"(PASSWORD|PASSWD|_PWD)$", re.IGNORECASE)
_WORD = re.compile(r"[a-z]{1,16}")
# In a URL: the password, whatever characters it has, and what a query calls a token or a key.
_URL_PASSWORD = re.compile(r"://[^/?#\s:@]*:((?:(?!://)\S)+)@")
_URL_TOKEN = re.compile(r"[?&]\w*(?:key|token|secret|password)=([^&#\s]+)", re.IGNORECASE)
_registered: dict[str, int] = {}  # by secret, the length from which it is hidden
# C0, DEL, C1, marks of text direction, line separators, lone surrogates (UTF-8 has none).
_CONTROLS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


class InputError(ValueError):
    """Bad input, reported in one line: the value, the rule it breaks, and the remedy.

    A stage prints the message after ``error:``, without a traceback, and exits with status 1.
    Secrets in it are hidden.
    """

    def __init__(self, message: str) -> None:
        super().__init__(hide(message))


def shown(value: object, most: int = 60) -> str:
    """A value for a message: secrets hidden, and only then cut to ``most`` characters."""
    text = hide(str(value)[: most + 10_000])
    return text if len(text) <= most else f"{text[: most - 3]}..."


def one_line(value: object, most: int = 160) -> str:
    """A library's error for a message: on one line, secrets hidden, then cut."""
    return shown(" ".join(str(value)[: most + 10_000].split()), most)


def similar(name: str, known: Iterable[str]) -> str | None:
    """The known name that a misspelt one probably means."""
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1)), None)


def nearest(name: object, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` where a known name is similar, else the list of all."""
    name, choices = shown(name), sorted(known)
    if close := similar(name, choices):
        return f"; did you mean {close!r}?"
    return f"; choices: {', '.join(choices) or 'none'}"


def printable(text: object, keep: str = "") -> str:
    r"""A text with its control characters but ``keep`` written out (``\n``, ``\x1b``).

    A terminal, a page or a table would obey them.
    """
    controls = {*_CONTROLS.findall(text := str(text))} - {*keep}
    return text.translate({ord(c): c.encode("unicode_escape").decode() for c in controls})


def add_secret(value: str, least: int = _LEAST) -> None:
    """Hide a value from now on, if it has ``least`` characters (4 or more)."""
    _registered[value] = least


def is_key(value: str) -> bool:
    """Whether a value can be a key: 8 characters or more, and not a plain word (``timestamp``)."""
    return len(value) >= _LEAST and not _WORD.fullmatch(value)


def secrets() -> frozenset[str]:
    """The keys, tokens and passwords that this process knows.

    Those of the environment, by the variable's name (``OPENAI_API_KEY``, ``HF_TOKEN``) or by its
    value, a URL with a password; the hub's login; and what `add_secret` was given.
    """
    known = {value for value, least in _registered.items() if len(value) >= least}
    for name, value in os.environ.items():
        if "://" in value:
            known.update(_URL_PASSWORD.findall(value))
            known.update(one for one in _URL_TOKEN.findall(value) if len(one) >= _LEAST)
        # The path of a key's file is not hidden: messages must be able to name files there.
        if os.path.isabs(value) and os.path.exists(value):
            continue
        given = value.strip()
        # A password may be a plain word; a plain word named like a key (SORT_KEY) is not secret.
        password = _PASSWORD_NAME.search(name) and len(given) >= _LEAST
        if password or (_KEY_NAME.search(name) and is_key(given)):
            known.add(given)
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{cache}/huggingface"
    login = Path(os.environ.get("HF_TOKEN_PATH") or f"{home}/token")
    with suppress(OSError, ValueError, RuntimeError):  # no file, not text, or no home
        token = login.expanduser().read_text(encoding="utf-8").strip()
        known.update({token} if len(token) >= _LEAST else ())
    return frozenset(secret for secret in known if len(secret) >= _LEAST_IN_URL)


def hide(text: str, known: frozenset[str] | None = None) -> str:
    """The text with ``***`` in place of each secret, and of each piece of 8 characters of one.

    Secrets are recognised as they are and as JSON, URLs, HTML and an Authorization header write
    them; pieces, because a library may have cut the text. ``known`` replaces `secrets`.
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
    """The ways in which other programs write a secret."""
    raw = _bytes(secret)
    plain = urllib.parse.unquote(secret)  # of one taken from a URL
    quoted = {urllib.parse.quote(raw, safe=safe) for safe in ("", "/", "/+=:")}
    lower = {re.sub(r"%..", lambda code: code[0].lower(), one) for one in quoted}
    escaped = {json.dumps(secret)[1:-1], repr(secret)[1:-1], repr(raw)[2:-1], html.escape(secret)}
    in_json = {json.dumps(secret)[1:-1].replace("/", "\\/")}
    # base64 of `user:password`: the length of the user decides which of three ways it is written.
    headers = set()
    for before in range(3):
        text = base64.b64encode(bytes(before) + raw).decode()
        inner = text[-(-before * 8 // 6) :].rstrip("=")[:-1]  # the rest depends on its neighbours
        headers |= {inner, inner.replace("+", "-").replace("/", "_")}
    return {secret, plain, *quoted, *lower, *escaped, *in_json, *headers}


def _bytes(secret: str) -> bytes:
    """The environment need not be UTF-8, and hiding a secret must never fail."""
    try:
        return secret.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return secret.encode("utf-8", "surrogatepass")
