"""Rows become instances: filtered, converted, checked; what is dropped is counted by rule."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import InputError, shown
from harness.pools.formats import FORMATS, Message, check_text, format_of, is_blank
from harness.pools.params import OnBadRow
from harness.pools.rendering import Check
from harness.pools.rows import DROP_HINT, BadRowError, Loaded, Row, kind
from harness.progress import progress

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("id", "row", "prompt", "response", "messages")


@dataclass(frozen=True)
class Instance:
    """One conversation; ``messages`` is the source of truth, the rest is read from it."""

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


@dataclass(frozen=True)
class Instances:
    """The instances of a source, with the counts its data card shows."""

    kept: list[Instance]
    format: str
    read: int
    filtered: int  # rows that ``where`` leaves out
    dropped: dict[str, int]  # by rule

    def counts(self) -> dict[str, Any]:
        """What the data card says of the source's rows."""
        return {
            "format": self.format,
            "rows_read": self.read,
            "rows_left_out_by_where": self.filtered,
            "rows_dropped": dict(sorted(self.dropped.items())),
            "rows_kept": len(self.kept),
        }


def read_instances(
    loaded: Loaded, where: dict[str, Any], on_bad_row: OnBadRow, check: Check | None = None
) -> Instances:
    """Convert every row that ``where`` keeps; a bad one stops or is counted, as ``on_bad_row``.

    ``check`` raises BadRowError for a conversation that a chat template does not render.

    All rows of a source are in the format of the first that is in any. InputError names the
    source, the row and the rule.
    """
    kept: list[Instance] = []
    dropped: Counter[str] = Counter()
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
            style = _same_format(format_of(values), style, row.number)
            instance = Instance(_id(values, row), row.number, FORMATS[style[0]](values))
            if instance.id in first_of:
                found = f"{shown(instance.id)!r} is also that of row {first_of[instance.id]}"
                remedy = "make ids unique, or leave them out (the line number is the id then)"
                raise BadRowError("a duplicate id", found, remedy)
            if check is not None:
                check(instance.messages)
        except BadRowError as bad:
            if on_bad_row == "error":
                bad.stop(loaded.name, row.number)
            dropped[bad.rule] += 1
            continue
        first_of[instance.id] = row.number
        kept.append(instance)
    if not kept:
        raise InputError(f"{loaded.name}: {_why_none(read, filtered, dropped, where)}")
    return Instances(kept, style[0] if style else "", read, filtered, dict(dropped))


def _values(row: Row) -> dict[str, Any]:
    if isinstance(row.value, BadRowError):
        raise row.value
    if not isinstance(row.value, dict):
        raise BadRowError(f"the row is {kind(row.value)}, not an object")
    return row.value


def _matches(values: dict[str, Any], where: dict[str, Any]) -> bool:
    for field, wanted in where.items():
        found = values.get(field)
        if not (wanted in found if isinstance(found, list) else wanted == found):
            return False
    return True


def _same_format(found: str, style: tuple[str, int] | None, row: int) -> tuple[str, int]:
    if style is None:
        return found, row
    if style[0] != found:
        detail = f"this row is {found}, row {style[1]} is {style[0]}"
        raise BadRowError("mixed formats", detail, "one format a file, or on_bad_row: drop")
    return style


def _id(values: dict[str, Any], row: Row) -> str:
    given = values.get("id")
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
    return f"no good row among {read} ({rules}); mend the file"


def raw_items(loaded: Loaded, where: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    """A benchmark's rows as published, each with an ``id`` (its own, else name and row).

    A bad one stops: ``on_bad_row`` is the pool's.
    """
    for row in loaded.rows:
        try:
            values = _values(row)
            if not _matches(values, where):
                continue
            _check_item(values)
        except BadRowError as bad:
            remedy = "mend the row" if bad.remedy == DROP_HINT else bad.remedy
            BadRowError(bad.rule, bad.detail, remedy).stop(loaded.name, row.number)
        given = values.get("id")
        yield {**values, "id": f"{name}_{row.number}" if given is None else str(given)}


def _check_item(values: dict[str, Any]) -> None:
    """Refuse what cannot be written as a line of JSON."""
    for field, value in values.items():
        try:
            text = json.dumps([field, value], ensure_ascii=False)
        except TypeError as error:
            raise BadRowError("no value of JSON", f"field {field!r}: {error}") from None
        check_text(text, f"field {field!r}")


def to_frame(instances: list[Instance], source: list[str] | None = None) -> "pd.DataFrame":
    """The pool's columns, a row an instance; with ``source``, that column too."""
    import pandas as pd

    frame = pd.DataFrame(
        {
            "id": pd.Series([i.id for i in instances], dtype="str"),
            "row": pd.Series([i.row for i in instances], dtype="int64"),
            "prompt": pd.Series([i.prompt for i in instances], dtype="str"),
            "response": pd.Series([i.response for i in instances], dtype="str"),
            "messages": pd.Series(
                [json.dumps(i.messages, ensure_ascii=False) for i in instances], dtype="str"
            ),
        }
    )
    if source is not None:
        frame["source"] = pd.Series(source, dtype="str")
    return frame
