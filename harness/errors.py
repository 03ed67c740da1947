"""The one error a user is meant to read."""


class InputError(ValueError):
    """Bad input, told in one line: what was found, the rule it breaks, and the remedy.

    A stage prints the message after ``error:`` and exits with status 1; no traceback is shown.
    """
