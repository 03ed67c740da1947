"""Numbered rows as the readers yield them, and the error of a row that breaks a rule."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from harness.common.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

OR_DROP = ", or set on_bad_row: drop"
DROP_HINT = f"fix the row{OR_DROP}"
UTF8_HINT = "save the file as UTF-8"
NO_ROWS = "empty, no rows; give a file with one instance a row"


class BadRowError(Exception):
    """A row that breaks a rule; data cards count rows by ``rule``, ``detail`` is of this row."""

    def __init__(self, rule: str, detail: str = "", remedy: str = DROP_HINT) -> None:
        super().__init__(rule)
        self.rule, self.detail, self.remedy = rule, detail, remedy

    @classmethod
    def too_large(cls, most: int) -> "BadRowError":
        """The error of a row of over ``most`` MB."""
        remedy = f"raise prepare.limits.row_mb{OR_DROP}"
        return cls("a row over the size limit", f"over {most} MB", remedy)

    def stop(self, file: str, row: int, optional: bool = True) -> NoReturn:
        """Raise InputError in one line; ``optional``: bad rows of the file may be dropped."""
        detail = f" ({self.detail})" if self.detail else ""
        remedy = self.remedy if optional else self.remedy.removesuffix(OR_DROP)
        raise InputError(f"{file}, row {row}: {self.rule}{detail}; {remedy}") from None


@dataclass(frozen=True)
class RawRow:
    """A row as read: its line or position, from 1, and its value or the BadRowError it raised."""

    number: int
    value: object


@dataclass(frozen=True)
class Loaded:
    """What one source yields: rows, their provenance, and the other parts of a generated world."""

    name: str  # as the user wrote it
    rows: Iterable[RawRow]
    total: int | None  # None: unknown until they are read
    card: dict[str, Any]  # provenance, for the data card
    dataset: Any = None  # the datasets.Dataset of a folder or hub id
    truth: "pd.DataFrame | None" = None
    pretraining: "pd.DataFrame | None" = None
    benchmarks: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    preferences: "pd.DataFrame | None" = None


def kind(value: object) -> str:
    """The type of a JSON value, in words."""
    names = {bool: "true or false", int: "a number", float: "a number", str: "a string"}
    names |= {list: "a list", dict: "an object", bytes: "binary", type(None): "null"}
    return names.get(type(value), f"a {type(value).__name__}")
