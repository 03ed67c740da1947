"""Turns rows into instances: filtered, converted and checked; bad rows are counted by rule."""

import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.common.errors import InputError, printable, shown
from harness.common.progress import progress
from harness.common.schemas import POOL, frame_of
from harness.params.source import OnBadRow
from harness.pools.fields import Fields, check_text, is_blank
from harness.pools.formats import FORMATS, MIXED, UNKNOWN, Message, format_of
from harness.pools.raw_rows import BadRowError, Loaded, RawRow, kind
from harness.pools.rendering import Check

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)
MOST_NAMED = 100  # fields that the data card names


@dataclass(frozen=True)
class Instance:
    """One conversation; every other text is derived from ``messages``."""

    id: str
    row: int
    messages: list[Message]

    @property
    def prompt(self) -> str:
        """Everything before the last assistant turn."""
        return "\n\n".join(m["content"] for m in self.messages[:-1])

    @property
    def response(self) -> str:
        """The last assistant turn."""
        return self.messages[-1]["content"]

    @property
    def text(self) -> str:
        """All turns, as one document."""
        return "\n\n".join(m["content"] for m in self.messages)

    @property
    def learnt_text(self) -> str:
        """All turns but those that are not to be learnt."""
        return "\n\n".join(m["content"] for m in self.messages if "weight" not in m)


@dataclass(frozen=True)
class Instances:
    """The instances of a source, with the counts for its data card."""

    kept: list[Instance]
    format: str
    read: int
    filtered: int  # rows that ``where`` leaves out
    dropped: dict[str, int]  # by rule
    left_out: dict[str, int]  # rows by field that was not read

    def counts(self) -> dict[str, Any]:
        """The counts by their keys in the data card."""
        left = {"fields_left_out": self.left_out} if self.left_out else {}
        return {
            "format": self.format,
            "rows_read": self.read,
            "rows_left_out_by_where": self.filtered,
            "rows_dropped": dict(sorted(self.dropped.items())),
            "rows_kept": len(self.kept),
            **left,
        }


def read_instances(
    loaded: Loaded, where: dict[str, Any], on_bad_row: OnBadRow, check: Check | None = None
) -> Instances:
    """Convert every row that ``where`` keeps; drop bad ones, or stop, as ``on_bad_row`` says.

    All rows of a source have the format of the first row that has a known one. ``check`` raises
    BadRowError for a conversation that a chat template does not render. InputError names the
    source, the row and the rule, or a source most of whose rows have another format.
    """
    kept: list[Instance] = []
    dropped: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    first_of: dict[str, int] = {}  # id -> row
    style: tuple[str, int] | None = None
    read = filtered = 0
    for row in progress(loaded.rows, f"reading {loaded.name}", loaded.total):
        read += 1
        try:
            values = _values(row)
            if not _matches(values, where):
                filtered += 1
                continue
            fields = Fields(values)
            style = _same_format(format_of(fields), style, row.number)
            form = FORMATS[style[0]]
            instance = Instance(_id(fields, row), row.number, form.read(fields, form.field))
            if instance.id in first_of:
                detail = f"{shown(instance.id)!r} is also that of row {first_of[instance.id]}"
                remedy = "make ids unique, or leave them out (the line number is the id then)"
                raise BadRowError("a duplicate id", detail, remedy)
            if check is not None:
                check(instance.messages)
        except BadRowError as bad:
            if on_bad_row == "error":
                bad.stop(loaded.name, row.number)
            dropped[bad.rule] += 1
            continue
        first_of[instance.id] = row.number
        kept.append(instance)
        left_out.update(fields.left_out() - where.keys())
    if not kept:
        raise InputError(f"{loaded.name}: {_why_none(read, filtered, dropped, where)}")
    assert style is not None
    _check_one_format(loaded.name, style, read - filtered, dropped)
    result = Instances(kept, style[0], read, filtered, dict(dropped), _named(left_out))
    _log_omissions(loaded.name, result)
    return result


def _check_one_format(name: str, style: tuple[str, int], rows: int, dropped: Counter[str]) -> None:
    """Raise InputError where most rows are not in the format of the first."""
    other = dropped[MIXED] + dropped[UNKNOWN]
    if 2 * other > rows:
        rule = f"{other:,} of {rows:,} rows are not in the format of row {style[1]} ({style[0]})"
        raise InputError(f"{name}: {rule}; give a file of one format")


def _named(left_out: Counter[str]) -> dict[str, int]:
    """The fields in printable form, the most frequent first, and how many more there are."""
    ranked = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
    named = {shown(printable(name)): rows for name, rows in ranked[:MOST_NAMED]}
    more = len(ranked) - MOST_NAMED
    return named | ({f"({more} more fields)": 0} if more > 0 else {})


def _log_omissions(name: str, made: Instances) -> None:
    """Log a line for dropped rows and one for unread fields; `make repro` shows both."""
    dropped = sum(made.dropped.values())
    if dropped:
        rules = ", ".join(f"{rule} {n:,}" for rule, n in Counter(made.dropped).most_common())
        log.info(
            "note: %s: %s of %s rows dropped: %s", name, f"{dropped:,}", f"{made.read:,}", rules
        )
    if made.left_out:
        fields = ", ".join(f"{field} {n:,}" for field, n in list(made.left_out.items())[:10])
        log.info("note: %s: fields not read, and the rows that have them: %s", name, fields)


def _values(row: RawRow) -> dict[str, Any]:
    if isinstance(row.value, BadRowError):
        raise row.value
    if not isinstance(row.value, dict):
        raise BadRowError(f"the row is {kind(row.value)}, not an object")
    return row.value


def _matches(values: dict[str, Any], where: dict[str, Any]) -> bool:
    pairs = [(wanted, values.get(field)) for field, wanted in where.items()]
    return all(w in value if isinstance(value, list) else w == value for w, value in pairs)


def _same_format(form: str, style: tuple[str, int] | None, row: int) -> tuple[str, int]:
    """The source's format and the row that set it: this one, where none has yet."""
    if style is not None and style[0] != form:
        detail = f"this row is {form}, row {style[1]} is {style[0]}"
        raise BadRowError(MIXED, detail, "one format per file, or on_bad_row: drop")
    return style or (form, row)


def _id(fields: Fields, row: RawRow) -> str:
    given = fields.get("id")
    if given is None:
        return str(row.number)
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise BadRowError("the id is neither text nor a number", f"it is {kind(given)}")
    try:
        name = str(given)
    except ValueError:  # Python's limit on the digits of an integer
        raise BadRowError("the id is too long", "over 4300 digits") from None
    check_text(name, "id")
    if is_blank(name):
        raise BadRowError("blank id", remedy="give every row an id, or none")
    return name


def _why_none(read: int, filtered: int, dropped: Counter[str], where: dict[str, Any]) -> str:
    if filtered == read and where:
        wanted = ", ".join(f"{field} = {value}" for field, value in where.items())
        return f"none of the {read} rows has {wanted}; correct `where`"
    rules = ", ".join(f"{rule}: {n}" for rule, n in dropped.most_common(3))
    return f"no valid row among {read} ({rules}); fix the file"


def raw_items(loaded: Loaded, where: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    """A benchmark's rows as published, each with an ``id`` (its own, else name and row).

    InputError for a bad row: ``on_bad_row`` is for pools only.
    """
    for row in loaded.rows:
        try:
            values = _values(row)
            if not _matches(values, where):
                continue
            for field, value in values.items():  # what cannot be written as a line of JSON
                check_text(_as_json(field, value), f"field {field!r}")
        except BadRowError as bad:
            bad.stop(loaded.name, row.number, optional=False)
        given = values.get("id")
        yield {**values, "id": f"{name}_{row.number}" if given is None else str(given)}


def _as_json(field: str, value: object) -> str:
    try:
        return json.dumps([field, value], ensure_ascii=False)
    except TypeError as error:
        raise BadRowError("not a JSON value", f"field {field!r}: {error}") from None


def to_frame(instances: list[Instance]) -> "pd.DataFrame":
    """The pool's columns, a row an instance."""
    return frame_of(POOL, map(pool_row, instances))


def pool_row(one: Instance) -> tuple[str, int, str, str, str]:
    """An instance's values of the pool's columns."""
    messages = json.dumps(one.messages, ensure_ascii=False)
    return one.id, one.row, one.prompt, one.response, messages
