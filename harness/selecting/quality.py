"""A selection's quality, computed from columns of the scores."""

import re
from typing import TYPE_CHECKING

import numpy as np

from harness.common import layout
from harness.common.errors import InputError, nearest
from harness.common.schemas import SCORES, read_frame
from harness.params.params import Selection

if TYPE_CHECKING:
    import pandas as pd

TRANSFORMS = ("sigmoid", "minmax", "rank")
MOST = 0.5  # of the rows with one value: the quality then distinguishes next to nothing
TERM = re.compile(r"(?:(?P<transform>\w+)\s*\(\s*(?P<inner>\w+)\s*\)|(?P<plain>\w+))")


def terms(expression: str) -> list[tuple[str | None, str]]:
    """The (transform, column) pairs of a quality such as ``ifd * sigmoid(reward)``.

    Raises InputError if it is not a product of columns and transforms of columns.
    """
    pairs = []
    for part in expression.split("*"):
        match = TERM.fullmatch(part.strip())
        if match is None:
            raise InputError(
                f"quality {expression!r}: {part.strip()!r} is neither a column nor one of "
                f"{', '.join(f'{name}(column)' for name in TRANSFORMS)}; join terms by *"
            )
        transform = match["transform"]
        if transform is not None and transform not in TRANSFORMS:
            near = nearest(transform, TRANSFORMS)
            raise InputError(f"quality {expression!r}: no transform is called {transform!r}{near}")
        pairs.append((transform, match["inner"] or match["plain"]))
    return pairs


def quality_vector(expression: str, scores: "pd.DataFrame") -> np.ndarray:
    """Evaluate a quality over the rows of the scores: (n,) float64, none negative.

    ``sigmoid`` is for logits (a reward model's), ``minmax`` scales a column to 0-1 over the pool (0
    if constant), ``rank`` gives the mean rank scaled to 0-1. Raises InputError for an unknown
    column, and, with the instance's id, for NaN, infinite or negative values.
    """
    columns = [name for name in scores.columns if name != "id"]
    product = np.ones(len(scores))
    for transform, name in terms(expression):
        if name not in columns:
            near = nearest(name, columns)
            raise InputError(f"quality {expression!r}: no scorer is called {name!r}{near}")
        column = scores[name].to_numpy(dtype=np.float64)
        _refuse(expression, name, scores, ~np.isfinite(column), column, "is not a finite number")
        factor = _transformed(column, transform)
        # Each factor is checked: the product of two negative ones would be positive.
        remedy = "is negative; use sigmoid(...), minmax(...) or rank(...) of the column"
        _refuse(expression, name, scores, factor < 0, factor, remedy)
        product *= factor
    _refuse(expression, "it", scores, ~np.isfinite(product), product, "is not a finite number")
    return product


def quality_notes(expression: str, scores: "pd.DataFrame") -> tuple[str, ...]:
    """A line for each transform that maps differing scores of most rows to one value.

    A sigmoid does when it saturates (scores over about 37, or under -745).
    """
    notes = []
    for transform, name in terms(expression):
        column = scores[name].to_numpy(dtype=np.float64)
        value, rows = _made_one(column, _transformed(column, transform))
        if rows >= MOST * len(column):
            notes.append(
                f"{transform}({name}) is {value:g} for {rows:,} of {len(column):,} rows whose "
                f"scores differ ({name} is {column.min():.4g} to {column.max():.4g}): use "
                f"rank({name}), which keeps their order"
            )
    return tuple(dict.fromkeys(notes))


def _made_one(column: np.ndarray, factor: np.ndarray) -> tuple[float, int]:
    """The value to which most rows of differing scores are mapped, and how many those are."""
    values, rows = np.unique(factor, return_counts=True)
    pairs = np.unique(np.stack([factor, column]), axis=1)
    rows[np.unique(pairs[0], return_counts=True)[1] == 1] = 0  # equal scores were equal before
    most = int(rows.argmax())
    return float(values[most]), int(rows[most])


def _transformed(column: np.ndarray, transform: str | None) -> np.ndarray:
    from scipy.special import expit
    from scipy.stats import rankdata

    if transform == "sigmoid":
        return expit(column)
    if transform == "minmax":
        low, high = column.min(), column.max()
        return (column - low) / (high - low) if high > low else np.zeros_like(column)
    if transform == "rank":
        return (rankdata(column) - 1) / max(1, len(column) - 1)
    return column


def _refuse(
    expression: str,
    what: str,
    scores: "pd.DataFrame",
    bad: np.ndarray,
    values: np.ndarray,
    rule: str,
) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        name = scores["id"].iloc[row]
        detail = f"{what} of instance {name!r} ({values[row]:g}) {rule}"
        raise InputError(f"quality {expression!r}: {detail}")


def read_quality(selection: Selection, ids: list[str]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """The quality that a selection names, if any, for the pool's ``ids`` in order; its notes."""
    quality = getattr(selection, "quality", None)
    if quality is None:
        return None, ()
    scores = read_frame(layout.SCORES_FILE, SCORES)
    if scores["id"].tolist() != ids:
        raise InputError(f"{layout.SCORES_FILE}: scores of other instances; run dvc repro score")
    return quality_vector(quality, scores), quality_notes(quality, scores)
