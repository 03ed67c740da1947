"""The schema of every table that crosses a stage, checked when written and when read.

pandera is imported inside the functions: it takes a second, which ``--help`` should not cost.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from harness.common import layout
from harness.common.errors import InputError, one_line, shown
from harness.common.files import replacing, value_hash
from harness.common.stores import read_sealed

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Messages = list[dict[str, str]]  # role and content; `weight: 0` on a turn that is not learnt

FAULTS = ("wrong", "truncated", "off_topic", "garbled")  # that may be planted in a response
# Those that a reward model is trained on: with all four it would simply know what is planted in the
# pool. Which two was fixed before any selection system was compared.
PREFERENCE_FAULTS = ("truncated", "off_topic")


@dataclass(frozen=True)
class Table:
    """A kind of table: its columns as (name, type), and the rules that they keep."""

    name: str
    columns: tuple[tuple[str, str], ...]
    unique: tuple[str, ...] = ()
    not_blank: tuple[str, ...] = ()
    one_of: tuple[tuple[str, tuple[str, ...]], ...] = ()
    nullable: tuple[str, ...] = ()
    more: str | None = None  # the type of further columns, if they are allowed


_ROW = (
    ("id", "str"),
    ("row", "int64"),
    ("prompt", "str"),
    ("response", "str"),
    ("messages", "str"),
)
POOL = Table("pool", _ROW, unique=("id",), not_blank=("id", "prompt", "response"))
VALIDATION = "validation_"  # begins the sources of held-out rows that no table may read
HELDOUT = Table(
    "heldout", (*_ROW, ("source", "str")), unique=("source", "id"), not_blank=("response",)
)
TRUTH = Table(
    "truth",
    (("id", "str"), ("skill", "str"), ("family", "str"), ("noise", "str"), ("duplicate_of", "str")),
    unique=("id",),
    one_of=(("noise", ("none", *FAULTS)),),
)
PRETRAINING = Table("pretraining", (("text", "str"), ("source", "str")), not_blank=("text",))
PREFERENCES = Table(
    "preferences",
    (("id", "str"), ("prompt", "str"), ("chosen", "str"), ("rejected", "str"), ("fault", "str")),
    unique=("id",),
    not_blank=("prompt", "chosen", "rejected"),
    one_of=(("fault", PREFERENCE_FAULTS),),
)
SCORES = Table("scores", (("id", "str"),), unique=("id",), more="float64")
SUBSET = Table(
    "subset",
    (
        ("id", "str"),
        ("order", "int64"),
        ("cluster", "int64"),
        ("score", "float64"),
        ("round", "int64"),
    ),
    unique=("id",),
    nullable=("score",),
)
ROUND_CLUSTERS = Table(
    "clusters of rounds",
    (
        ("round", "int64"),
        ("cluster", "int64"),
        ("taken", "int64"),
        ("weight_before", "float64"),
        ("score", "float64"),
        ("weight", "float64"),
    ),
    unique=("round", "cluster"),
    nullable=("score",),
)
ROUND_INSTANCES = Table(
    "instances of rounds",
    (
        ("round", "int64"),
        ("id", "str"),
        ("answer", "str"),
        ("tokens", "int64"),
        ("cut", "bool"),
        ("capped", "bool"),
        ("gold", "float64"),
        ("generated", "float64"),
    ),
    unique=("round", "id"),
    nullable=("gold", "generated"),
)
SAMPLES = Table(
    "samples",
    (
        ("selection", "str"),
        ("seed", "int64"),
        ("task", "str"),
        ("item", "str"),
        ("prompt_hash", "str"),  # SHA-256 of what the model was asked, as lm-eval computes it
        ("prediction", "str"),
        ("score", "float64"),
        ("weight", "float64"),
        ("cluster", "str"),  # items of one cluster ask for one skill
    ),
    unique=("selection", "seed", "task", "item"),
    nullable=("prompt_hash", "cluster"),
)


@cache
def _schema(table: Table) -> Any:  # noqa: ANN401  (pandera's type, imported lazily)
    import pandera.pandas as pa

    allowed = dict(table.one_of)
    columns: dict[Any, Any] = {}
    for name, kind in table.columns:
        checks = []
        if name in table.not_blank:
            checks.append(pa.Check(lambda s: s.str.strip().str.len() > 0, error="is blank"))
        if name in allowed:
            checks.append(pa.Check.isin(allowed[name]))
        columns[name] = pa.Column(kind, checks=checks, nullable=name in table.nullable)
    if table.more:
        columns["^(?!id$).*"] = pa.Column(table.more, nullable=True, regex=True, required=False)
    return pa.DataFrameSchema(columns, strict=True, unique=list(table.unique) or None)


def frame_of(table: Table, rows: "Iterable[tuple[Any, ...]]") -> "pd.DataFrame":
    """Rows, as tuples in the order of the table's columns, as a frame of the columns' types."""
    import pandas as pd

    columns = dict(table.columns)
    return pd.DataFrame(list(rows), columns=pd.Index(list(columns))).astype(columns)


def check_frame(frame: "pd.DataFrame", table: Table, where: str) -> None:
    """Raise InputError that names ``where``, the first bad row and the rule it breaks."""
    from pandera.errors import SchemaError

    known = {name for name, _ in table.columns}
    missing = sorted(known - set(frame.columns))
    unknown = [] if table.more else sorted(set(frame.columns) - known)
    if missing or unknown:
        raise InputError(f"{where}: {table.name}: columns missing {missing}, unknown {unknown}")
    try:
        _schema(table).validate(frame)
    except SchemaError as error:
        row, value, cases = "", "", error.failure_cases
        if cases is not None and hasattr(cases, "columns") and len(cases):
            first = cases.iloc[0]
            if first.get("index") is not None:
                row = f", row {int(first['index']) + 1}"
            value = f" (found {shown(first.get('failure_case'))!r})"
        code = str(error.reason_code).rsplit(".", maxsplit=1)[-1].lower().replace("_", " ")
        rule = getattr(error.check, "error", "") or code
        column = getattr(error.schema, "name", None) or ""
        raise InputError(f"{where}{row}: {table.name} {column}: {rule}{value}") from None


def write_frame(path: Path, frame: "pd.DataFrame", table: Table) -> None:
    """Check a frame against its table and write it as Parquet."""
    check_frame(frame, table, str(path))
    with replacing(path) as temporary:
        frame.to_parquet(temporary, index=False, compression="zstd")


@dataclass(frozen=True)
class PoolRows:
    """Rows of the pool, each a conversation; the one place where ``messages`` is parsed."""

    frame: "pd.DataFrame"  # columns as POOL; a phase of a round has `id` and `messages` only

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def ids(self) -> list[str]:
        """The id of each row."""
        return self.frame["id"].tolist()

    @property
    def names(self) -> list[str]:
        """What error messages call each row."""
        return [f"instance {name!r}" for name in self.ids]

    def conversations(self) -> Iterator[Messages]:
        """The messages of each row, parsed one by one, so that few are in memory."""
        return map(json.loads, self.frame["messages"])

    def take(self, rows: "slice | np.ndarray | list[int]") -> Self:
        """The rows at these positions, in this order."""
        return type(self)(self.frame.iloc[rows])

    def with_ids(self, ids: list[str]) -> Self:
        """The rows with these ids, in this order."""
        return type(self)(self.frame.set_index("id", drop=False).loc[ids])

    def hash(self) -> str:
        """SHA-256 of the ids and messages, from which all other columns derive."""
        return value_hash([self.ids, self.frame["messages"].tolist()])


def read_pool() -> PoolRows:
    """Read the pool that ``prepare`` wrote."""
    return PoolRows(read_frame(layout.POOL_FILE, POOL, "dvc repro prepare"))


def read_frame(
    path: Path, table: Table, remedy: str = "run the stage that writes it (dvc repro)"
) -> "pd.DataFrame":
    """Read a Parquet file and check it against its table; ``remedy`` is for a missing file."""
    import pandas as pd

    if not path.is_file():
        raise InputError(f"{path}: no such file; {remedy}")
    try:
        frame = pd.read_parquet(path)
    except (ValueError, OSError) as error:
        reason = one_line(error, 120)
        raise InputError(f"{path}: not a Parquet file ({reason}); run its stage again") from None
    check_frame(frame, table, str(path))
    return frame


def read_subset(path: Path, stage: str) -> "pd.DataFrame":
    """Read a subset; InputError names the stage to run where its folder has changed."""
    read_sealed(path.parent, f"dvc repro {stage}")
    return read_frame(path, SUBSET)
