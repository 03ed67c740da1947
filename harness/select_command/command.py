"""The steps of `python -m harness select`."""

import logging
import time
from collections.abc import Callable

from harness.common.disk_errors import naming
from harness.common.files import replacing, write_json
from harness.select_command.arguments import parse

log = logging.getLogger(__name__)


def run(words: list[str], say: Callable[[str], None]) -> None:
    """Run the command with these arguments; ``say`` prints its output.

    Raises InputError for bad arguments or files. An existing ``--out`` is replaced only once the
    whole subset is written.
    """
    values = parse(words)
    if values.list:
        from harness.select_command.listing import listing

        say(listing())
        return
    from harness.common.schemas import PoolRows
    from harness.select_command.choices import read_choices
    from harness.select_command.inputs import choose, make_inputs, rows_wanted
    from harness.select_command.output import check_writable, provenance, provenance_file
    from harness.select_command.pool_file import form_wanted, read_pool, write_rows
    from harness.select_command.report import measured

    choices = read_choices(values)
    check_writable(choices)
    started = time.monotonic()
    pool = read_pool(choices)
    n = len(pool.frame)
    form = form_wanted(pool.source, choices.out)
    rows = rows_wanted(choices, n)
    inputs = make_inputs(choices, PoolRows(pool.frame))
    log.info("choosing %s of %s rows by %s", f"{rows:,}", f"{n:,}", choices.sampler)
    picks, cost = choose(choices, inputs, rows)
    out, beside = choices.out, provenance_file(choices.out)
    # The subset is moved into place last: where it is complete, so is its provenance.
    with replacing(out) as subset:
        with naming(subset):
            write_rows(pool, picks.tolist(), form, out, subset)
        made = provenance(choices, pool, inputs, cost, subset)
        write_json(beside, made)
    log.info("done in %.3g s, %.3g s of it to choose", time.monotonic() - started, cost["seconds"])
    say(f"{out}: {rows:,} of {n:,} rows, in the order chosen by {choices.sampler}")
    say(f"{beside}: how they were chosen")
    for note in made["notes"]:
        say(f"note: {note}")
    say("\n" + measured(choices, inputs, picks))
