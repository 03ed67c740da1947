"""Which rows contain text of items they should not: held-out rows, benchmark items, the pool.

A row overlaps an item when its whole text or its prompt equals the item once normalised (case,
white space), or when it contains at least ``share`` of the item's distinct runs of ``words`` words.
(PaLM, Chowdhery et al. 2022, calls an evaluation item contaminated at 70% of its 8-word runs;
the default of 50% is stricter.) A run that more than ``COMMON`` distinct items contain belongs to a
template and counts for none of them; an item with no other runs can only be equal.

An item too short for a run is looked for without punctuation: a row overlaps it when its text or
prompt has the same words or, where they are at least ``SHORTEST``, contains them in their order and
they are at least ``share`` of its own. (A long request may name by chance what a question asks.)
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from harness.params.prepare import OverlapParams
from harness.pools.word_runs import (
    Vocabulary,
    bare_words,
    first_of_equals,
    normalise,
    word_runs,
)

COMMON = 50
SHORTEST = 4  # words of an item that is looked for within a text: fewer are part of too much
BLOCK = 1000  # rows looked up at once


class SearchedTexts:
    """Texts to search, hashed once for all kinds of items; the vocabulary is the items'."""

    def __init__(
        self,
        texts: Sequence[str],
        prompts: Sequence[str],
        params: OverlapParams,
        vocabulary: Vocabulary,
    ) -> None:
        self.keys = [{normalise(t), normalise(p)} for t, p in zip(texts, prompts, strict=True)]
        longest = int((params.words - 1) / params.share)
        bare = [[bare_words(key, longest + 1) for key in keys] for keys in self.keys]
        self.brief = [[words for words in own if len(words) <= longest] for own in bare]
        self.runs = word_runs(texts, params.words, vocabulary, "overlap: search")


class Items:
    """Texts to look for, indexed once; ``params`` says what an overlap is."""

    def __init__(self, texts: list[str], params: OverlapParams, vocabulary: Vocabulary) -> None:
        self.share = params.share
        self.first = first_of_equals(texts)
        keep = np.unique(self.first)
        self.equal = {normalise(texts[i]): i for i in keep.tolist()}
        runs = word_runs(
            (texts[i] for i in keep.tolist()), params.words, vocabulary, "overlap: index"
        )
        self.short: dict[tuple[str, ...], list[int]] = {}
        for i in keep[runs.sizes() == 0].tolist():
            self.short.setdefault(tuple(bare_words(normalise(texts[i]))), []).append(i)
        self.short.pop((), None)
        _, at, held_by = np.unique(runs.hashes, return_inverse=True, return_counts=True)
        own = held_by[at] <= COMMON
        order = np.argsort(runs.hashes[own], kind="stable")
        self.hashes = runs.hashes[own][order]
        self.owners = keep[runs.owners[own][order]] if len(keep) else runs.owners
        self.sizes = np.bincount(self.owners, minlength=len(texts))

    def find(self, rows: SearchedTexts) -> list[tuple[int, int]]:
        """Every overlap as a pair (row, item), ascending; of equal items, the first."""
        pairs = set(self.find_equal(rows))
        runs = rows.runs
        edges = np.searchsorted(runs.owners, np.arange(0, runs.texts + BLOCK, BLOCK))
        for lo, hi in pairwise(edges.tolist()):
            pairs.update(self._contained(runs.hashes[lo:hi], runs.owners[lo:hi]))
        if self.short:
            pairs.update(self._short_pairs(rows))
        return sorted(pairs)

    def find_equal(self, rows: SearchedTexts) -> list[tuple[int, int]]:
        """Pairs (row, item) where the row's text or prompt equals the item, once normalised."""
        numbered = enumerate(rows.keys)
        return [(i, self.equal[key]) for i, keys in numbered for key in keys if key in self.equal]

    def _short_pairs(self, rows: SearchedTexts) -> Iterator[tuple[int, int]]:
        lengths = {len(words) for words in self.short if len(words) >= SHORTEST}
        for row, brief in enumerate(rows.brief):
            for words in brief:
                runs = {tuple(words)}
                for n in (n for n in lengths if n >= self.share * len(words)):
                    runs.update(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
                for run in runs & self.short.keys():
                    yield from ((row, item) for item in self.short[run])

    def _contained(self, hashes: np.ndarray, owners: np.ndarray) -> list[tuple[int, int]]:
        left = np.searchsorted(self.hashes, hashes, "left")
        count = np.searchsorted(self.hashes, hashes, "right") - left
        total = int(count.sum())
        if not total:
            return []
        rows = np.repeat(owners, count)
        offset = np.arange(total) - np.repeat(np.cumsum(count) - count, count)
        items = self.owners[np.repeat(left, count) + offset]
        keys, shared = np.unique(rows * len(self.sizes) + items, return_counts=True)
        rows, items = np.divmod(keys, len(self.sizes))
        enough = shared >= self.share * self.sizes[items] - 1e-9
        return list(zip(rows[enough].tolist(), items[enough].tolist(), strict=True))
