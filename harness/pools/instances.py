"""Rows become instances: filtered, converted, checked; what is dropped is counted by rule."""

import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.common.errors import InputError, printable, shown
from harness.common.progress import progress
from harness.params.prepare import OnBadRow
from harness.pools.fields import Fields, check_text, is_blank
from harness.pools.formats import FORMATS, MIXED, UNKNOWN, Message, format_of
from harness.pools.raw_rows import BadRowError, Loaded, RawRow, kind
from harness.pools.rendering import Check

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)
NAMED = 100  # fields that the data card names, at most


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

    @property
    def learnt_text(self) -> str:
        """The text without the turns that are not to be learnt."""
        return "\n\n".join(m["content"] for m in self.messages if "weight" not in m)


@dataclass(frozen=True)
class Instances:
    """The instances of a source, with the counts its data card shows."""

    kept: list[Instance]
    format: str
    read: int
    filtered: int  # rows that ``where`` leaves out
    dropped: dict[str, int]  # by rule
    left_out: dict[str, int]  # fields that were not read, and how many rows had them

    def counts(self) -> dict[str, Any]:
        """What the data card says of the source's rows."""
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
    """Convert every row that ``where`` keeps; a bad one stops or is counted, as ``on_bad_row``.

    ``check`` raises BadRowError for a conversation that a chat template does not render.

    All rows of a source are in the format of the first that is in any. InputError names the
    source, the row and the rule, and also a source most of whose rows are in another format.
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
        left_out.update(fields.left_out() - where.keys())
    if not kept:
        raise InputError(f"{loaded.name}: {_why_none(read, filtered, dropped, where)}")
    assert style is not None
    _check_one_format(loaded.name, style, read - filtered, dropped)
    found = Instances(kept, style[0], read, filtered, dict(dropped), _named(left_out))
    _tell(loaded.name, found)
    return found


def _check_one_format(name: str, style: tuple[str, int], rows: int, dropped: Counter[str]) -> None:
    """Raise InputError where the first row stands for the smaller part of the file."""
    other = dropped[MIXED] + dropped[UNKNOWN]
    if 2 * other > rows:
        rule = f"{other:,} of {rows:,} rows are not in the format of row {style[1]} ({style[0]})"
        raise InputError(f"{name}: {rule}; give a file of one format")


def _named(left_out: Counter[str]) -> dict[str, int]:
    """The fields as text that can be written, those of most rows first."""
    most = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
    named = {shown(printable(name)): rows for name, rows in most[:NAMED]}
    return named | ({f"({len(most) - NAMED} more fields)": 0} if len(most) > NAMED else {})


def _tell(name: str, found: Instances) -> None:
    """Say what was left out: a line each, which `make repro` shows too."""
    gone = sum(found.dropped.values())
    if gone:
        rules = ", ".join(f"{rule} {n:,}" for rule, n in Counter(found.dropped).most_common())
        log.info("note: %s: %s of %s rows dropped: %s", name, f"{gone:,}", f"{found.read:,}", rules)
    if found.left_out:
        fields = ", ".join(f"{field} {n:,}" for field, n in list(found.left_out.items())[:10])
        log.info("note: %s: fields not read, and the rows that have them: %s", name, fields)


def _values(row: RawRow) -> dict[str, Any]:
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
        raise BadRowError(MIXED, detail, "one format a file, or on_bad_row: drop")
    return style


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
            bad.stop(loaded.name, row.number, optional=False)
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
