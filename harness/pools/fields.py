"""The fields of a row; those that a format reads are noted, so that the others can be named."""

import math
import unicodedata
from typing import Any

from harness.pools.raw_rows import BadRowError, kind

# Drawn as nothing, though letters or symbols to Unicode: Hangul fillers and the braille blank.
FILLERS = "\u115f\u1160\u3164\uffa0\u2800"


class Fields:
    """The fields of a row or a turn. NaN, which pandas writes for a missing value, reads as null.

    Attributes:
        read: names that were looked up.
        fields_of_turns: unread fields of the row's turns.
    """

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self.read: set[str] = set()
        self.fields_of_turns: set[str] = set()

    def get(self, name: str) -> Any:  # noqa: ANN401  (a value of JSON)
        """A field's value; null where it is missing."""
        self.read.add(name)
        value = self.values.get(name)
        return None if is_nan(value) else value

    def is_filled(self, name: str) -> bool:
        """Whether a field holds more than null, NaN, blank text, an empty list or object.

        This does not count as reading it.
        """
        value = self.values.get(name)
        if isinstance(value, str):
            return not is_blank(value)
        empty = isinstance(value, list | dict) and not value
        return not (value is None or is_nan(value) or empty)

    def filled(self, names: tuple[str, ...], what: str) -> str | None:
        """The one of several names that is filled; BadRowError where two differ."""
        self.read.update(names)
        given = [name for name in names if self.is_filled(name)]
        if any(self.get(name) != self.get(given[0]) for name in given[1:]):
            raise BadRowError(f"two {what}s", " and ".join(given), f"keep one field for the {what}")
        return given[0] if given else None

    def text(
        self, names: tuple[str, ...], what: str, where: str = "", may_be_blank: bool = False
    ) -> str:
        """The text of whichever name is filled; BadRowError, naming ``where``, if none is."""
        not_null = (name for name in names if self.get(name) is not None)
        name = self.filled(names, what) or next(not_null, None)
        if name is None:
            if not self.values.keys().isdisjoint(names):
                raise BadRowError(f"null {what}", where)
            raise BadRowError(f"no {what}", where or f"no field {' or '.join(names)}")
        value = self.get(name)
        if not isinstance(value, str):
            raise BadRowError(f"the {what} is not text", f"{where or name} is {kind(value)}")
        check_text(value, what)
        if is_blank(value) and not may_be_blank:
            raise BadRowError(f"blank {what}", where)
        return value

    def optional_text(self, names: tuple[str, ...], what: str) -> str | None:
        """Like `text`, but None where no name is filled."""
        return self.text(names, what, "it") if self.filled(names, what) else None

    def left_out(self) -> set[str]:
        """The filled fields that were not read."""
        unread = self.values.keys() - self.read
        return {name for name in unread if self.is_filled(name)} | self.fields_of_turns


def is_nan(value: object) -> bool:
    """Whether a value is the floating-point NaN."""
    return isinstance(value, float) and math.isnan(value)


def check_text(value: str, what: str) -> None:
    """Raise BadRowError for text that cannot be written as UTF-8."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        detail = f"\\u{ord(value[error.start]):04x} in the {what}"
        raise BadRowError("a lone surrogate", detail) from None


def is_blank(value: str) -> bool:
    """Whether a text shows nothing: only white space, control and format characters, fillers."""
    return all(
        c.isspace() or c in FILLERS or unicodedata.category(c) in ("Cc", "Cf") for c in value
    )
