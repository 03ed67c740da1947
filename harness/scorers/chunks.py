"""What a model makes of a pool, in chunks, each kept once finished: a killed run resumes."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from harness.common.errors import InputError
from harness.common.progress import Step, counting
from harness.common.schemas import PoolRows
from harness.common.stores import keeping, take_kept

log = logging.getLogger(__name__)

CHUNK = 512  # rows
# Scores some rows: the values, which rows were cut to fit the model, how many tokens it read of
# each, and whatever else there is by row; the step counts rows.
Score = Callable[[PoolRows, Step], Sequence[np.ndarray]]


def in_chunks(
    pool: PoolRows, scorer: str, scratch: Path | None, score_rows: Score, most: int
) -> np.ndarray:
    """What ``score_rows`` gives for the pool's rows in their order: (3 or more, n) float64.

    Finished chunks are kept in ``scratch``, if given; ``most`` is the tokens that a row may have,
    for a message. Raises InputError, naming scorer and instance, for NaN and infinity.
    """
    starts = range(0, len(pool), CHUNK)
    files = {} if scratch is None else {s: scratch / f"chunk_{s:08d}.npy" for s in starts}
    chunks = {start: np.load(file) for start, file in files.items() if take_kept(file)}
    missing = [start for start in starts if start not in chunks]
    left = sum(min(CHUNK, len(pool) - start) for start in missing)
    with counting(f"score {scorer}", left) as step:
        for start in missing:
            rows = pool.take(slice(start, start + CHUNK))
            values, *others = score_rows(rows, step)
            chunks[start] = np.stack([finite(scorer, rows, values), *others]).astype(np.float64)
            if scratch is not None:
                with keeping(files[start]) as temporary:
                    np.save(temporary, chunks[start])
    table = np.concatenate([chunks[start] for start in starts] or [np.empty((3, 0))], 1)
    if cuts := int(table[1].sum()):
        log.info("%s: %d of %d rows are over %d tokens: cut", scorer, cuts, len(pool), most)
    return table


def finite(scorer: str, rows: PoolRows, values: np.ndarray) -> np.ndarray:
    """The values; InputError, naming scorer and instance, for NaN and infinity."""
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        score = f"gives instance {rows.ids[bad[0]]!r} the score {values[bad[0]]}"
        remedy = "scores are finite numbers: use another model, or on a GPU device: cpu"
        raise InputError(f"scorer {scorer}: its model {score}; {remedy}")
    return values


def chunk_reads(scratch: Path) -> tuple[int, int] | None:
    """How many rows a model read for the chunks that are kept there, and tokens; None for none."""
    chunks = [np.load(path) for path in scratch.glob("chunk_*.npy")]
    if not chunks:
        return None
    return sum(chunk.shape[1] for chunk in chunks), int(sum(chunk[2].sum() for chunk in chunks))


def drop_chunks(scratch: Path) -> None:
    """Remove the chunks of what is complete."""
    for path in scratch.glob("chunk_*.npy"):
        path.unlink()
