"""The numbers of the data card."""

from collections.abc import Sequence
from typing import Any

from harness.params.prepare import PrepareParams
from harness.pools.duplicates import find_duplicates
from harness.pools.instances import Instance
from harness.pools.overlap import SHORTEST, Items, SearchedTexts
from harness.pools.word_runs import first_of_equals


def lengths(texts: Sequence[str]) -> dict[str, float]:
    """The texts' mean, median, 95th percentile and maximum length, in characters."""
    import numpy as np

    counts = np.array([len(t) for t in texts])
    return {
        "mean": round(float(counts.mean()), 1),
        "median": float(np.median(counts)),
        "p95": round(float(np.percentile(counts, 95)), 1),
        "max": int(counts.max()),
    }


def describe(pool: Sequence[Instance]) -> dict[str, Any]:
    """How many instances there are and how long they are."""
    if not pool:
        return {"rows": 0}
    turns = [sum(m["role"] == "assistant" for m in i.messages) for i in pool]
    return {
        "rows": len(pool),
        "rows_of_several_answers": sum(t > 1 for t in turns),
        "characters_of_prompt": lengths([i.prompt for i in pool]),
        "characters_of_response": lengths([i.response for i in pool]),
    }


def duplicates(pool: Sequence[Instance], params: PrepareParams) -> dict[str, Any]:
    """Rows that duplicate an earlier row, exactly, nearly, or in the prompt alone."""
    earlier = find_duplicates([i.text for i in pool], params.near_duplicate)
    first_prompt = first_of_equals([i.prompt for i in pool])
    return {
        "exact": int((earlier.exact >= 0).sum()),
        "near": int((earlier.near >= 0).sum()),
        "near_threshold": params.near_duplicate,
        "same_prompt": int((first_prompt != range(len(pool))).sum()),
        "definition": (
            "rows equal to an earlier row once case and white space are normalised (exact); other"
            " rows whose set of 3-word runs has at least the threshold's Jaccard similarity with"
            " an earlier row's (near)"
        ),
    }


def overlap_definition(params: PrepareParams) -> str:
    """What counts as an overlap, for the reader of the card."""
    share, words = params.overlap.share, params.overlap.words
    return (
        "a row whose text or prompt equals an item once case and white space are normalised, or"
        f" that holds at least {share:.0%} of the item's distinct runs of {words} words; for one"
        " too short for a run, a row that has its words without punctuation or, where they are at"
        f" least {SHORTEST}, contains them in their order as {share:.0%} of its own"
    )


def overlaps(
    rows: SearchedTexts, targets: dict[str, Items]
) -> tuple[dict[str, dict[str, int]], set[int]]:
    """By target, how many rows overlap how many of its items; and which rows overlap any."""
    counts: dict[str, dict[str, int]] = {}
    touched: set[int] = set()
    for name, index in targets.items():
        pairs = index.find(rows)
        overlapped = {item for _, item in pairs}
        overlapping = {row for row, _ in pairs}
        counts[name] = {
            "rows": len(overlapping),
            "equal": len({row for row, _ in index.find_equal(rows)}),
            "items": sum(int(first) in overlapped for first in index.first),
            "of": len(index.first),
        }
        touched |= overlapping
    return counts, touched
