"""Reads JSON into numbered rows piece by piece: one object a line, or one list of objects."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NoReturn

from harness.common.errors import InputError
from harness.params.limits import MB
from harness.pools.raw_rows import DROP_HINT, NO_ROWS, UTF8_HINT, BadRowError, RawRow, kind
from harness.pools.unpacking import BLANK, Unpacked

SPACE = re.compile(r"[ \t\r\n]*")
CHUNK = 1 << 20
WORDS = ("true", "false", "null", "NaN", "Infinity", "-Infinity")  # that the parser knows
NUMBER_BEGUN = re.compile(r"\.|[eE][+-]?")
ESCAPE = 6  # characters of \\u00e9
DEEP, CUT = "nested too deeply", "the list is cut off"


class Decoder:
    """Decodes JSON, and notes a key that an object has twice: the last would silently win."""

    def __init__(self) -> None:
        self.twice: str | None = None
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            self.twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        return values

    def at(self, text: str, start: int) -> tuple[object, int]:
        """The value that begins at ``start``, and where it ends."""
        self.twice = None
        return self._decoder.raw_decode(text, start)

    def whole(self, text: str) -> object:
        """The value of a text that is JSON from end to end."""
        self.twice = None
        return self._decoder.decode(text)

    def row(self, value: object, stem: str = "") -> object:
        """The value just decoded; BadRowError unless it is an object with distinct keys."""
        if self.twice is not None:
            raise BadRowError("a key given twice", f"{self.twice[:60]!r}")
        if isinstance(value, dict):
            return value
        if isinstance(value, list) and stem.lower().endswith("l"):
            remedy = "give one object a line, or name a file that is one list .json"
            raise BadRowError("the row is a list, not an object", remedy=remedy)
        raise BadRowError(f"the row is {kind(value)}, not an object")


def json_lines(stream: Unpacked, stem: str) -> Iterator[RawRow]:
    """One object a line; blank lines are skipped, but counted."""
    decoder = Decoder()
    for number, line in stream.lines():
        if line is None:
            yield RawRow(number, BadRowError.too_large(stream.limits.row_mb))
            continue
        if not line.strip(BLANK):
            continue
        try:
            yield RawRow(number, decoder.row(decoder.whole(line.decode("utf-8")), stem))
        except BadRowError as bad:
            yield RawRow(number, bad)
        except RecursionError:
            yield RawRow(number, BadRowError(DEEP))
        except UnicodeDecodeError as error:
            raise _not_utf8(stream.name, number, line[error.start], error.start) from None
        except json.JSONDecodeError as error:
            last = not line.endswith(b"\n")
            yield RawRow(number, _not_json(error, last and is_cut(error), stem))
        except ValueError:  # Python's limit on the digits of an integer
            yield RawRow(number, BadRowError("not JSON", "a number of over 4300 digits"))


def _not_utf8(name: str, row: int, byte: int, column: int) -> InputError:
    """An error in either mode: a wrong encoding silently spoils every row that is not ASCII."""
    detail = f"byte 0x{byte:02x} at position {column + 1}"
    return InputError(f"{name}, row {row}: not UTF-8 ({detail}); {UTF8_HINT}")


def _not_json(error: json.JSONDecodeError, cut: bool, stem: str) -> BadRowError:
    if cut:
        return BadRowError("the last line is cut off", "no closing brace and no line end")
    remedy = DROP_HINT
    if stem.lower().endswith(".json"):
        remedy = "a .json file holds one list of objects, or one object a line"
    return BadRowError("not JSON", f"{error.msg} at column {error.pos + 1}", remedy)


def is_cut(error: json.JSONDecodeError) -> bool:
    """Whether the text is the beginning of JSON: it goes wrong only at its end."""
    rest = error.doc[error.pos :].rstrip(" \t\r\n")
    if not rest or error.msg.startswith("Unterminated string"):
        return True
    if error.msg.startswith("Expecting value"):
        return any(word.startswith(rest) for word in WORDS)
    if error.msg.startswith("Invalid \\"):
        return len(rest) < ESCAPE
    return error.msg.startswith("Expecting ','") and bool(NUMBER_BEGUN.fullmatch(rest))


def json_list(stream: Unpacked) -> Iterator[RawRow]:
    """The elements of one list; no more text is held than the element being read."""
    text = _Window(stream)
    decoder = Decoder()
    text.at += 1  # the bracket
    number = 0
    while text.next_character() != "]":
        number += 1
        value, length = _element(text, decoder, number)
        stream.count_row()
        character = text.next_character()
        if character == ",":
            text.at += 1
            character = text.next_character()
        elif character not in ("]", ""):
            text.broken(text.wrong("Expecting ',' or ']'"), number)
        if character == "":
            text.broken(CUT, number)
        try:
            if length > stream.limits.row_mb * MB:
                raise BadRowError.too_large(stream.limits.row_mb)
            yield RawRow(number, decoder.row(value))
        except BadRowError as bad:
            yield RawRow(number, bad)
    text.at += 1
    if text.next_character() != "":
        where = f"{stream.name}, row {number}" if number else stream.name
        rule = "text after the end of the list"
        raise InputError(f"{where}: {rule}; a .json file holds one list of objects")
    if not number:
        raise InputError(f"{stream.name}: {NO_ROWS}")


def _element(text: "_Window", decoder: Decoder, number: int) -> tuple[object, int]:
    """The element at the window's place, which moves past it, and the element's length."""
    most = text.stream.limits.row_mb * MB
    while True:
        try:
            value, end = decoder.at(text.text, text.at)
            if end < len(text.text) or text.ended:  # else a number may go on
                length, text.at = end - text.at, end
                return value, length
        except json.JSONDecodeError as error:
            if text.ended or not is_cut(error):
                rule = CUT if is_cut(error) else text.wrong(error.msg.removesuffix(" at"), error)
                text.broken(rule, number)
        except RecursionError:
            text.broken(DEEP, number)
        except ValueError:
            text.broken("not JSON (a number of over 4300 digits)", number)
        if len(text.text) - text.at > most:
            # Where it ends is unknown, so it cannot be dropped.
            bad = BadRowError.too_large(text.stream.limits.row_mb)
            bad.stop(text.stream.name, number, optional=False)
        text.grow()


class _Window:
    """The text of a stream from a place on; what comes before the place is let go."""

    def __init__(self, stream: Unpacked) -> None:
        self.stream, self._source = stream, stream.text()
        self.text, self.at, self.ended = "", 0, False
        self.line, self.column = 1, 0  # where `text` begins
        self.next_character()

    def next_character(self) -> str:
        """Move to the next character that is not white space, and return it; "" at the end."""
        while True:
            space = SPACE.match(self.text, self.at)
            self.at = space.end() if space else self.at
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1]
            self.grow()

    def grow(self) -> None:
        """Read on, at least as much again as is held."""
        self.line, self.column = _moved(self.line, self.column, self.text[: self.at])
        kept, self.at = self.text[self.at :], 0
        try:
            more = self._source.read(max(CHUNK, len(kept)))
        except UnicodeDecodeError as error:
            passed = self.stream.again_before(len(error.object) - error.start)
            line, column = _moved(1, 0, passed)
            if "\0" in passed:
                self.stream.refuse_binary(_moved(1, 0, passed.partition("\0")[0])[0])
            raise _not_utf8(self.stream.name, line, error.object[error.start], column) from None
        self.text, self.ended = kept + more, not more
        if "\0" in more:
            self.stream.refuse_binary(_moved(self.line, 0, self.text.partition("\0")[0])[0])

    def wrong(self, what: str, error: json.JSONDecodeError | None = None) -> str:
        """What is not JSON, and where."""
        before = self.text[: self.at if error is None else error.pos]
        line, column = _moved(self.line, self.column, before)
        return f"not JSON ({what} at line {line} column {column + 1})"

    def broken(self, rule: str, number: int) -> NoReturn:
        """Refuse the file, as it is unknown where the next element begins."""
        where = f"{self.stream.name}, row {number}"
        raise InputError(f"{where}: {rule}; fix the file, or copy it again") from None


def _moved(line: int, column: int, passed: str) -> tuple[int, int]:
    """Line and column after a text that began at this line and column."""
    breaks = passed.count("\n")
    if not breaks:
        return line, column + len(passed)
    return line + breaks, len(passed) - passed.rindex("\n") - 1
