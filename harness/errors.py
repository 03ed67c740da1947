"""The one error a user is meant to read, and the hint at what was meant."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input, told in one line: what was found, the rule it breaks, and the remedy.

    A stage prints the message after ``error:`` and exits with status 1; no traceback is shown.
    """


def nearest(name: object, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` where a known name is near, else the list of them all."""
    choices = sorted(known)
    close = difflib.get_close_matches(str(name), choices, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; choices: {', '.join(choices) or 'none'}"
