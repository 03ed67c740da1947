"""Files of instances to read, in every form and kind."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.common.errors import InputError
from harness.params.limits import Limits
from harness.params.source import OnBadRow, Source
from harness.pools.instances import Instances, read_instances
from harness.pools.sources import load

BOATS = {"question": "How many are older than 9?", "answer": "SELECT COUNT(*) FROM boats"}


LAMP = "Mira lit the lamp at dusk."


MERGED = {"instruction": "Who lit it?", "input": None, "output": None, "context": LAMP}


USER, ANSWER = {"role": "user", "content": "Say hi."}, {"role": "assistant", "content": "Hi."}
ROW = {"instruction": "Say hi.", "output": "Hi."}
DROP = "fix the row, or set on_bad_row: drop"


def read(
    path: Path,
    on_bad_row: OnBadRow = "error",
    where: dict[str, Any] | None = None,
    limits: Limits | None = None,
) -> Instances:
    """The instances of a file."""
    return read_instances(load(Source(path=str(path), limits=limits)), where or {}, on_bad_row)


def lines(*rows: object) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def conversations(*turns: tuple[str, object]) -> dict[str, Any]:
    return {"conversations": [{"from": role, "value": value} for role, value in turns]}


def messages(*turns: tuple[str, object]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


def as_json(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text(json.dumps(rows, indent=1))


def as_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_bytes(lines(*rows))


def as_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(rows), path)


WRITERS = {
    "pool.json": as_json,
    "pool.jsonl": as_jsonl,
    "lines.json": as_jsonl,
    "pool.parquet": as_parquet,
    "POOL.JSONL": as_jsonl,
    "no_ending": as_jsonl,
}


REMEDIES = {
    "the row is a list, not an object": (
        "give one object a line, or name a file that is one list .json"
    ),
    "two responses": "keep one field for the response",
    "blank id": "give every row an id, or none",
    "a duplicate id": "make ids unique, or leave them out (the line number is the id then)",
    "mixed formats": "one format per file, or on_bad_row: drop",
    "no known format": (
        "expected one of these: messages, conversations, instruction, prompt, question"
    ),
}


def refused(path: Path, row: int, rule: str, detail: str, rules: dict[str, int]) -> None:
    """The file is refused with one line, and read with ``drop`` less the row that is counted."""
    with pytest.raises(InputError) as caught:
        read(path)
    shown = f" ({detail})" if detail else ""
    assert str(caught.value) == f"{path}, row {row}: {rule}{shown}; {REMEDIES.get(rule, DROP)}"
    dropped = read(path, "drop")
    assert dropped.dropped == rules
    assert [i.row for i in dropped.kept] == [1, row + 2]
    assert dropped.counts()["rows_kept"] == 2


QUESTION, REPLY = ("user", "first?"), ("assistant", "right")
WEIGHTED = [("user", "first?", None), ("assistant", "WRONG", 0), ("user", "again?", None)]
WEIGHTED += [("assistant", "right", 1)]


def weighted(field: str = "weight", *turns: tuple[str, str, object]) -> dict[str, Any]:
    """A conversation whose turns say whether they are to be learnt."""
    made = [
        {"role": role, "content": text} | ({} if weight is None else {field: weight})
        for role, text, weight in turns or WEIGHTED
    ]
    return {"messages": made}


def beside(turn: int, **fields: object) -> dict[str, Any]:
    """A question and its answer, one of them with more fields."""
    row = messages(QUESTION, REPLY)
    row["messages"][turn].update(fields)
    return row
