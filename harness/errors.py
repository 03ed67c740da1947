"""The one error a user is meant to read, and the hint at what was meant."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input, told in one line: what was found, the rule it breaks, and the remedy.

    A stage prints the message after ``error:`` and exits with status 1; no traceback is shown.
    """


def shown(value: object, most: int = 60) -> str:
    """What was given as a message has it: a text or a number of thousands of signs is cut."""
    text = str(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def nearest(name: object, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` where a known name is near, else the list of them all."""
    name, choices = shown(name), sorted(known)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; choices: {', '.join(choices) or 'none'}"
