"""Names and values that MLflow accepts: one rule for metrics, params and tags."""

import hashlib
import re

REFUSED = re.compile(r"[^/\w.\- :]")
LONGEST_NAME = 250
LONGEST_PARAM, LONGEST_TAG = 6000, 8000  # characters of a value
DIGITS = 8  # of the hash that keeps cleaned names distinct


def clean_name(name: str) -> str:
    """The name itself if MLflow accepts it; else a unique one that it accepts.

    Refused characters, and parts that a file's path could not have, become ``_``.
    """
    parts = REFUSED.sub("_", name).split("/")
    clean = "/".join(part if part.strip(".") else "_" for part in parts)
    clean = f"_{clean}" if clean.startswith("..") else clean
    if clean == name and len(name) <= LONGEST_NAME:
        return name
    return f"{clean[: LONGEST_NAME - DIGITS - 1]}_{_digest(name)}"


def clean_value(value: str, longest: int) -> str:
    """A value of at most so many characters, all of which a database accepts."""
    text = value.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
    if len(text) <= longest:
        return text
    return f"{text[: longest - DIGITS - 4]}... {_digest(value)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:DIGITS]
