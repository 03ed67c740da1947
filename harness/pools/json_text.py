"""Reads JSON text into numbered rows as it comes: one object a line, or one list of objects."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NoReturn

from harness.common.errors import InputError
from harness.params.limits import MB
from harness.pools.raw_rows import UTF8_HINT, BadRowError, RawRow, kind
from harness.pools.unpacking import BLANK, BOM, Unpacked

SPACE = re.compile(r"[ \t\r\n]*")
CHUNK = 1 << 20
WORDS = ("true", "false", "null", "NaN", "Infinity", "-Infinity")  # that the parser knows
NUMBER_BEGUN = re.compile(r"\.|[eE][+-]?")
ESCAPE = 6  # signs of \\u00e9
DEEP, CUT = "nested too deeply", "the list is cut off"


class Decoder:
    """Decodes JSON, and notes a key that an object has twice: the last would win unseen."""

    def __init__(self) -> None:
        """Start with nothing noted."""
        self.twice: str | None = None
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            self.twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        return found

    def at(self, text: str, start: int) -> tuple[object, int]:
        """The value that begins there, and where it ends."""
        self.twice = None
        return self._decoder.raw_decode(text, start)

    def whole(self, text: str) -> object:
        """The value that the text is."""
        self.twice = None
        return self._decoder.decode(text)

    def row(self, value: object, stem: str = "") -> object:
        """The value just decoded, where it is an object with each key once; else BadRowError."""
        if self.twice is not None:
            raise BadRowError("a key given twice", f"{self.twice[:60]!r}")
        if isinstance(value, dict):
            return value
        if isinstance(value, list) and stem.lower().endswith("l"):
            remedy = "one object a line is wanted; a file that is one list is named .json"
            raise BadRowError("the row is a list, not an object", remedy=remedy)
        raise BadRowError(f"the row is {kind(value)}, not an object")


def json_lines(stream: Unpacked, stem: str) -> Iterator[RawRow]:
    """One object a line; blank lines are passed over, and counted."""
    decoder = Decoder()
    for number, line in stream.lines():
        if line is None:
            yield RawRow(number, BadRowError.too_large(stream.limits.row_mb))
            continue
        if not line.strip(BLANK):
            continue
        text = _decode(line, stream.name, number)
        try:
            yield RawRow(number, decoder.row(decoder.whole(text), stem))
        except BadRowError as bad:
            yield RawRow(number, bad)
        except RecursionError:
            yield RawRow(number, BadRowError(DEEP))
        except json.JSONDecodeError as error:
            last = not line.endswith(b"\n")
            yield RawRow(number, _not_json(error, last and is_cut(error), stem))
        except ValueError:  # Python's limit on the digits of an integer
            yield RawRow(number, BadRowError("not JSON", "a number of over 4300 digits"))


def _decode(line: bytes, name: str, number: int) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(name, number, line[error.start], error.start) from None


def _not_utf8(name: str, row: int, byte: int, column: int) -> InputError:
    """Never dropped: a wrong encoding spoils every row that is not plain ASCII, silently."""
    found = f"byte 0x{byte:02x} at position {column + 1}"
    return InputError(f"{name}, row {row}: not UTF-8 ({found}); {UTF8_HINT}")


def _not_json(error: json.JSONDecodeError, cut: bool, stem: str) -> BadRowError:
    if cut:
        return BadRowError("the last line is cut off", "no closing brace and no line end")
    found = f"{error.msg} at column {error.pos + 1}"
    if stem.lower().endswith(".json"):
        remedy = "a .json file holds one list of objects, or one object a line"
        return BadRowError("not JSON", found, remedy)
    return BadRowError("not JSON", found)


def is_cut(error: json.JSONDecodeError) -> bool:
    """Whether a text that is no JSON is the beginning of one: it went wrong at its end only."""
    rest = error.doc[error.pos :].rstrip(" \t\r\n")
    if not rest or error.msg.startswith("Unterminated string"):
        return True
    if error.msg.startswith("Expecting value"):
        return any(word.startswith(rest) for word in WORDS)
    if error.msg.startswith("Invalid \\"):
        return len(rest) < ESCAPE
    return error.msg.startswith("Expecting ','") and bool(NUMBER_BEGUN.fullmatch(rest))


def json_list(stream: Unpacked) -> Iterator[RawRow]:
    """The elements of one list; no more of the text is held than the element being read."""
    text = _Window(stream)
    decoder = Decoder()
    text.at += 1  # the bracket
    number = 0
    while text.sign() != "]":
        number += 1
        value, length = _element(text, decoder, number)
        stream.count_row()
        sign = text.sign()
        if sign == ",":
            text.at += 1
            sign = text.sign()
        elif sign not in ("]", ""):
            text.broken(text.wrong("Expecting ',' or ']'"), number)
        if sign == "":
            text.broken(CUT, number)
        try:
            if length > stream.limits.row_mb * MB:
                raise BadRowError.too_large(stream.limits.row_mb)
            yield RawRow(number, decoder.row(value))
        except BadRowError as bad:
            yield RawRow(number, bad)
    text.at += 1
    if text.sign() != "":
        where = f"{stream.name}, row {number}" if number else stream.name
        rule = "text after the end of the list"
        raise InputError(f"{where}: {rule}; a .json file holds one list of objects")
    if not number:
        raise InputError(f"{stream.name}: empty, no rows; give a file with one instance a row")


def _element(text: "_Window", decoder: Decoder, number: int) -> tuple[object, int]:
    """The element that begins at the window's place, which moves past it; and its length."""
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
            bad = BadRowError.too_large(text.stream.limits.row_mb)
            bad.stop(text.stream.name, number, optional=False)  # where it ends is not known
        text.grow()


class _Window:
    """The text of a stream from a place on; what lies before the place is let go."""

    def __init__(self, stream: Unpacked) -> None:
        self.stream = stream
        self.text, self.at, self.ended = "", 0, False
        self.left = b""  # the beginning of a character
        self.line, self.column = 1, 0  # where the text held begins
        self.bytes_line, self.bytes_column = 1, 0  # and the bytes not read yet
        self.sign()

    def sign(self) -> str:
        """The next sign that is no white space; "" at the end."""
        while True:
            found = SPACE.match(self.text, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1]
            self.grow()

    def grow(self) -> None:
        """Read on, as much again as is held."""
        gone, kept = self.text[: self.at], self.text[self.at :]
        self.line, self.column = _moved(self.line, self.column, gone, "\n")
        data = self.left + self.stream.read(max(CHUNK, len(kept)))
        self.ended = len(data) == len(self.left)
        self.text, self.at = kept + self._decoded(data), 0

    def _decoded(self, data: bytes) -> str:
        if (self.bytes_line, self.bytes_column) == (1, 0):
            data = data.removeprefix(BOM)
        if b"\0" in data:
            row = self.bytes_line + data[: data.index(b"\0")].count(b"\n")
            self.stream.refuse_binary(row)
        end = len(data)
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            if self.ended or error.reason != "unexpected end of data":
                before = data[: error.start]
                line, column = _moved(self.bytes_line, self.bytes_column, before, b"\n")
                raise _not_utf8(self.stream.name, line, data[error.start], column) from None
            end = error.start
            text = data[:end].decode("utf-8")
        self.left = data[end:]
        moved = _moved(self.bytes_line, self.bytes_column, data[:end], b"\n")
        self.bytes_line, self.bytes_column = moved
        return text

    def wrong(self, what: str, error: json.JSONDecodeError | None = None) -> str:
        """What is no JSON, and where."""
        before = self.text[: self.at if error is None else error.pos]
        line, column = _moved(self.line, self.column, before, "\n")
        return f"not JSON ({what} at line {line} column {column + 1})"

    def broken(self, rule: str, number: int) -> NoReturn:
        """Refuse the file: where the next element would begin is not known."""
        where = f"{self.stream.name}, row {number}"
        raise InputError(f"{where}: {rule}; mend or copy the file again") from None


def _moved(line: int, column: int, passed: Any, newline: Any) -> tuple[int, int]:  # noqa: ANN401
    """Line and column after some text or bytes."""
    breaks = passed.count(newline)
    if not breaks:
        return line, column + len(passed)
    return line + breaks, len(passed) - passed.rindex(newline) - 1
