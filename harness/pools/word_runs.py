"""Texts as arrays of word numbers, so that runs of words can be compared by the million."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from harness.common.progress import progress

# A word, a punctuation mark, or a character of a script without spaces (kana, Han).
_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
WORD = re.compile(rf"[{_CJK}]|(?:(?![{_CJK}])\w)+|[^\w\s]")
_MIX = np.uint64(0x9E3779B97F4A7C15)


def normalise(text: str) -> str:
    """Unicode NFC, case folded, every run of white space one space."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def bare_words(normalised: str, most: int | None = None) -> list[str]:
    """The words of a normalised text without punctuation, all or the first ``most``."""
    words = (match[0] for match in WORD.finditer(normalised))
    return list(islice((word for word in words if re.match(r"\w", word)), most))


class Vocabulary:
    """Numbers words in order of appearance; a word has the same number in every text."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def encode(self, text: str) -> np.ndarray:
        """The numbers of a text's words, int64, in order."""
        numbers = self.numbers
        words = WORD.findall(normalise(text))
        return np.array([numbers.setdefault(w, len(numbers)) for w in words], np.int64)


@dataclass(frozen=True)
class Runs:
    """Hashes of the runs of words of many texts, distinct within a text, and whose they are."""

    hashes: np.ndarray  # (m,) uint64
    owners: np.ndarray  # (m,) int64, ascending: the index of the text
    texts: int  # how many there are

    def sizes(self) -> np.ndarray:
        """The number of distinct runs of each text, (texts,)."""
        return np.bincount(self.owners, minlength=self.texts)


def word_runs(
    texts: Iterable[str], words: int, vocabulary: Vocabulary, desc: str, whole: bool = False
) -> Runs:
    """Hash every run of ``words`` words of each text.

    A shorter text has no run or, with ``whole``, one: all of it.
    """
    runs: list[np.ndarray] = []
    for text in progress(texts, desc):
        numbers = vocabulary.encode(text)
        runs.append(np.unique(_hashes(numbers, min(words, len(numbers)) if whole else words)))
    owners = np.repeat(np.arange(len(runs)), [len(own) for own in runs])
    hashes = np.concatenate(runs) if runs else np.empty(0, np.uint64)
    return Runs(hashes, owners, len(runs))


def _hashes(numbers: np.ndarray, words: int) -> np.ndarray:
    count = len(numbers) - words + 1
    if count < 1:
        return np.empty(0, np.uint64)
    values = (numbers.astype(np.uint64) + np.uint64(1)) * _MIX
    values ^= values >> np.uint64(29)
    total = np.zeros(count, np.uint64)
    for i in range(words):
        total = (total + values[i : i + count]) * np.uint64(0xBF58476D1CE4E5B9)
        total ^= total >> np.uint64(31)
    return total


def first_of_equals(texts: Sequence[str]) -> np.ndarray:
    """For each text, the index of the first that equals it once normalised, (n,) int64."""
    seen: dict[str, int] = {}
    return np.array([seen.setdefault(normalise(t), i) for i, t in enumerate(texts)], np.int64)
