"""The published tables, a row of ours beside each row that it mirrors."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.common.yaml_files import read_yaml

if TYPE_CHECKING:
    import pandas as pd

HERE = Path(__file__).parent
SOURCE = "arXiv 2409.11378"
# The published columns: their labels, and the columns of suites that are or mirror them.
COLUMNS = {
    "mmlu": ("MMLU", ("mmlu", "knowledge")),
    "gsm8k": ("GSM8K", ("gsm8k", "arithmetic")),
    "hellaswag": ("HellaSwag", ("hellaswag", "continuation")),
    "arc": ("ARC-C", ("arc_challenge", "science")),
    "truthfulqa": ("TruthfulQA", ("truthfulqa", "misconceptions")),
    "humaneval": ("HumanEval", ("humaneval", "code")),
    "avg": ("Average", ("avg",)),
}


@dataclass(frozen=True)
class Published:
    """A table as it was printed.

    Attributes:
        title: as "Table 2".
        of: the model that was trained, and on what.
        frame: the printed cells; the index are rows of ours, in the printed order. The column
            ``printed`` has their printed names.
        notes: where the paper contradicts itself, or should be read with care.
    """

    title: str
    of: str
    frame: "pd.DataFrame"
    notes: tuple[str, ...]


def published_tables(preset: str, study: str, rows: Iterable[str]) -> list[Published]:
    """The tables that a study of a preset mirrors, each with the rows that are in the study.

    Without those of which it has fewer than two rows.
    """
    own = list(rows)
    tables = [
        read_table(name, own)
        for name, entry in _entries().items()
        if study in entry["studies"] and preset in entry["presets"]
    ]
    return [table for table in tables if len(table.frame) > 1]


def read_table(name: str, rows: Iterable[str] | None = None) -> Published:
    """A table by its name in tables.yaml, its rows named as ours.

    Args:
        name: as ``table2``.
        rows: the rows to keep; None for all that have a counterpart, by its first name.
    """
    import pandas as pd

    entry = _entries()[name]
    frame = pd.read_csv(HERE / f"{name}.csv", dtype=dict.fromkeys(entry["key"], str))
    keys = frame[entry["key"]].fillna("").agg("_".join, axis="columns")
    known = None if rows is None else set(rows)
    ours: dict[str, str] = {}
    for key, names in entry["rows"].items():
        candidates = [names] if isinstance(names, str) else list(names)
        kept = [one for one in candidates if known is None or one in known]
        ours |= {str(key): one for one in kept[:1]}
    frame["printed"] = frame[entry["key"]].fillna("").agg(" ".join, axis="columns").str.strip()
    frame.index = pd.Index([ours.get(key, "") for key in keys], name="selection")
    return Published(
        entry["title"], entry["of"], frame.loc[frame.index != ""], tuple(entry["notes"])
    )


@cache
def _entries() -> Mapping[str, Mapping[str, Any]]:
    return read_yaml(HERE / "tables.yaml")
