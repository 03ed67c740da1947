"""The order of what `python -m harness select` does, and what it says on the way."""

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.common.disk_errors import naming
from harness.common.files import replacing, write_json
from harness.select_command.arguments import parse

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from harness.select_command.choices import Choices


def run(words: list[str], say: Callable[[str], None]) -> None:
    """Run the command with these arguments; ``say`` prints what its user asked to see.

    Raises InputError, with one line, for whatever is wrong with the arguments or the files. An
    ``--out`` that is there stays as it was unless the whole subset could be written.
    """
    values = parse(words)
    if values.list:
        from harness.select_command.listing import listing

        say(listing())
        return
    from harness.select_command.choices import read_choices
    from harness.select_command.output import check_places

    choices = read_choices(values)
    check_places(choices)
    _select(choices, say)


def _select(choices: "Choices", say: Callable[[str], None]) -> None:
    from harness.common.schemas import PoolRows
    from harness.select_command.inputs import choose, make_inputs, rows_wanted
    from harness.select_command.output import provenance, provenance_file
    from harness.select_command.pool_file import form_wanted, read_pool, write_rows
    from harness.select_command.report import measured

    started = time.monotonic()
    pool = read_pool(choices)
    n = len(pool.frame)
    form = form_wanted(pool.source, choices.out)
    rows = rows_wanted(choices, n)
    inputs = make_inputs(choices, PoolRows(pool.frame))
    log.info("choosing %s of %s rows by %s", f"{rows:,}", f"{n:,}", choices.sampler)
    picks, cost = choose(choices, inputs, rows)
    out, beside = choices.out, provenance_file(choices.out)
    # The subset takes its place last: wherever it is whole, so is the file beside it.
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
