"""Rows near an item by the cosine similarity of their embeddings: the same question, reworded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

BLOCK = 512  # items compared at once
ROUNDING = 1e-6  # of a cosine of equal vectors in single precision
SHOWN = 5  # pairs of a target that the report shows


@dataclass(frozen=True)
class Near:
    """How near the rows of a pool are to a target's items.

    Attributes:
        best: (m,) the row nearest to each item.
        similarity: (m,) their cosine similarity.
        rows: the rows at least as near as the threshold to any item, ascending.
    """

    best: np.ndarray
    similarity: np.ndarray
    rows: np.ndarray


def nearest_rows(items: np.ndarray, rows: np.ndarray, threshold: float) -> Near:
    """Compare items (m, d) with rows (n, d), both of unit length; of equals the first row."""
    best = np.empty(len(items), dtype=np.int64)
    similarity = np.empty(len(items), dtype=np.float32)
    near = np.zeros(len(rows), dtype=bool)
    for start in range(0, len(items), BLOCK):
        cosines = items[start : start + BLOCK] @ rows.T
        at = cosines.argmax(axis=1)
        best[start : start + BLOCK] = at
        similarity[start : start + BLOCK] = cosines[np.arange(len(at)), at]
        near |= (cosines >= threshold - ROUNDING).any(axis=0)
    return Near(best, similarity, np.flatnonzero(near))


def facts(
    result: Near, threshold: float, texts: Sequence[str], ids: Sequence[str], prompts: Sequence[str]
) -> Mapping[str, Any]:
    """What a report says of a target: counts, and the nearest pairs with their texts."""
    order = np.argsort(-result.similarity, kind="stable")[:SHOWN]
    best: list[int] = result.best.tolist()
    return {
        "items": len(texts),
        "items_near": int((result.similarity >= threshold - ROUNDING).sum()),
        "rows_near": len(result.rows),
        "median_similarity": round(float(np.median(result.similarity)), 3),
        "nearest": [
            {
                "item": texts[i],
                "row": ids[best[i]],
                "prompt": prompts[best[i]],
                "similarity": round(float(result.similarity[i]), 3),
            }
            for i in order.tolist()
        ],
    }
