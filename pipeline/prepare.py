"""Read the pool, hold rows out, and write what every later stage starts from."""

import json

from harness import layout
from harness.files import replacing, replacing_folder, write_json
from harness.params import load_params
from harness.schemas import HELDOUT, POOL, PRETRAINING, TRUTH, check_frame, write_frame
from pipeline.stage import main


def run() -> None:
    """Read the pool, hold rows out, and write what every later stage starts from."""
    from harness.pools import prepare

    made = prepare(load_params())
    tables = [
        (layout.POOL_FILE, made.pool, POOL),
        (layout.HELDOUT_FILE, made.heldout, HELDOUT),
        (layout.TRUTH_FILE, made.truth, TRUTH),
        (layout.PRETRAINING_FILE, made.pretraining, PRETRAINING),
    ]
    # All are checked before any is written: a bad one leaves every earlier file as it was.
    for path, frame, table in tables:
        check_frame(frame, table, str(path))
    for path, frame, table in tables:
        write_frame(path, frame, table)
    with replacing_folder(layout.BENCHMARKS) as folder:
        for task, items in made.benchmarks.items():
            with replacing(folder / f"{task}.jsonl") as path:
                lines = (json.dumps(item, ensure_ascii=False) + "\n" for item in items)
                path.write_text("".join(lines), encoding="utf-8")
    write_json(layout.CARD_FILE, made.card)


if __name__ == "__main__":
    main(run)
