"""The naive reference for duplicates: each row against each before it."""

import itertools

from harness.pools.word_runs import WORD, normalise


def every_pair(texts: list[str], threshold: float) -> tuple[list[int], list[int]]:
    """For each text the earlier one it duplicates exactly, and nearly, or -1."""
    normal = [normalise(t) for t in texts]
    exact = [normal.index(t) if normal.index(t) < i else -1 for i, t in enumerate(normal)]
    sets = []
    for text in normal:
        words = WORD.findall(text)
        size = min(3, len(words))
        sets.append({tuple(words[i : i + size]) for i in range(len(words) - size + 1)})
    near = [-1] * len(texts)
    for i, j in itertools.product(range(len(texts)), repeat=2):
        both = len(sets[i] | sets[j])
        if j < i and exact[i] < 0 and near[i] < 0 and both:
            near[i] = j if len(sets[i] & sets[j]) / both >= threshold else -1
    return exact, near
