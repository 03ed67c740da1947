"""Writes the pool and what was held out of it."""

import json
from contextlib import ExitStack

from harness.common import layout
from harness.common.files import replacing, replacing_folder, write_json
from harness.common.schemas import (
    HELDOUT,
    POOL,
    PREFERENCES,
    PRETRAINING,
    TRUTH,
    check_frame,
    write_frame,
)
from harness.pools.prepare import Prepared


def write_prepared(made: Prepared) -> None:
    """Check all tables, then write them; earlier files stay as they were until all are written."""
    tables = [
        (layout.POOL_FILE, made.pool, POOL),
        (layout.HELDOUT_FILE, made.heldout, HELDOUT),
        (layout.TRUTH_FILE, made.truth, TRUTH),
        (layout.PRETRAINING_FILE, made.pretraining, PRETRAINING),
        (layout.PREFERENCES_FILE, made.preferences, PREFERENCES),
    ]
    for path, frame, table in tables:
        check_frame(frame, table, str(path))
    with ExitStack() as stack:
        for path, frame, table in tables:
            write_frame(stack.enter_context(replacing(path)), frame, table)
        write_json(stack.enter_context(replacing(layout.CARD_FILE)), made.card)
        folder = stack.enter_context(replacing_folder(layout.BENCHMARKS))
        for task, items in made.benchmarks.items():
            lines = (json.dumps(item, ensure_ascii=False) + "\n" for item in items)
            (folder / f"{task}.jsonl").write_text("".join(lines), encoding="utf-8")
