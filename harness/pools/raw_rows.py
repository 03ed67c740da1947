"""What the readers hand on: numbered rows, and a row that breaks a rule."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from harness.common.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

OR_DROP = ", or set on_bad_row: drop"
DROP_HINT = f"mend the row{OR_DROP}"
UTF8_HINT = "save the file as UTF-8"


class BadRowError(Exception):
    """A row that breaks a rule: the data card counts ``rule``; ``detail`` is what was found."""

    def __init__(self, rule: str, detail: str = "", remedy: str = DROP_HINT) -> None:
        """Keep the three parts of the line."""
        super().__init__(rule)
        self.rule, self.detail, self.remedy = rule, detail, remedy

    @classmethod
    def too_large(cls, most: int) -> "BadRowError":
        """A row over so many MB."""
        remedy = f"raise prepare.limits.row_mb{OR_DROP}"
        return cls("a row over the size limit", f"over {most} MB", remedy)

    def stop(self, file: str, row: int, optional: bool = True) -> NoReturn:
        """Raise the one line a user reads; ``optional``: rows may be left out of such a file."""
        found = f" ({self.detail})" if self.detail else ""
        remedy = self.remedy if optional else self.remedy.removesuffix(OR_DROP)
        raise InputError(f"{file}, row {row}: {self.rule}{found}; {remedy}") from None


@dataclass(frozen=True)
class RawRow:
    """A row as read: its line or position from 1, and its value, or why there is none."""

    number: int
    value: object


@dataclass(frozen=True)
class Loaded:
    """What one source gives: rows, what is known of where they came from, and a world's parts."""

    name: str  # as the user wrote it
    rows: Iterable[RawRow]
    total: int | None  # None: not known before they are read
    card: dict[str, Any]
    dataset: Any = None  # the datasets.Dataset of a folder or hub id
    truth: "pd.DataFrame | None" = None
    pretraining: "pd.DataFrame | None" = None
    benchmarks: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    preferences: "pd.DataFrame | None" = None


def kind(value: object) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    names = {bool: "true or false", int: "a number", float: "a number", str: "a string"}
    names |= {list: "a list", dict: "an object", bytes: "binary"}
    return names.get(type(value), f"a {type(value).__name__}")
