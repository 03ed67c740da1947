"""Duplicates are those a comparison of all pairs finds."""

import random
import time

import numpy as np
import pytest

from harness.pools.duplicates import NEIGHBOURS, find_duplicates
from tests.helpers.naive_duplicates import every_pair

WORDS = ["red", "green", "blue", "one", "two", "three", "cat", "dog", "bird", "sun", "moon", "run"]


def some_texts(count: int, seed: int) -> list[str]:
    """Random sentences; about half are copies of earlier ones with words changed."""
    rng = random.Random(seed)
    texts: list[str] = []
    while len(texts) < count:
        words = [rng.choice(WORDS) for _ in range(rng.randint(1, 60))]
        if texts and rng.random() < 0.5:
            words = rng.choice(texts).split()
            for _ in range(rng.randint(0, 3)):
                words[rng.randrange(len(words))] = rng.choice(WORDS)
        texts.append((" " if rng.random() < 0.2 else "") + " ".join(words))
        if rng.random() < 0.1:
            texts[-1] = texts[-1].upper()
    return texts


@pytest.mark.parametrize("threshold", [0.8, 0.9, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_duplicates_equal_a_comparison_of_all_pairs(seed: int, threshold: float) -> None:
    texts = some_texts(250, seed)
    result = find_duplicates(texts, threshold)
    exact, near = every_pair(texts, threshold)
    assert sum(i >= 0 for i in exact) > 10
    assert threshold > 0.8 or sum(i >= 0 for i in near) > 10
    assert result.exact.tolist() == exact
    assert result.near.tolist() == near


def test_duplicates_worked_by_hand() -> None:
    ten = "a b c d e f g h i j"
    texts = [
        ten,
        "A  b c d e f g h i j ",  # case and space only: exact
        ten + " k",  # 8 runs shared of 9
        "k l m n",
        "",
        "!?",
        "!?",
        "¿?",
        "1 + 2",
        "1 - 2",  # a sign is a word: another sum is another text
    ]
    result = find_duplicates(texts, 0.8)
    assert result.exact.tolist() == [-1, 0, -1, -1, -1, -1, 5, -1, -1, -1]
    assert result.near.tolist() == [-1, -1, 0, -1, -1, -1, -1, -1, -1, -1]


@pytest.mark.parametrize("texts", [[], ["a"], ["", ""], ["a", "b"]])
def test_small_pools_have_no_near_duplicates(texts: list[str]) -> None:
    assert (find_duplicates(texts, 0.8).near == -1).all()


def test_languages_without_spaces_are_compared_by_character() -> None:
    texts = ["请用一句话总结下面这段文字的主要内容", "请用一句话总结下面这段文字的主要内容吧"]
    assert find_duplicates(texts, 0.8).near.tolist() == [-1, 0]


def test_many_copies_of_one_text_are_all_found() -> None:
    # Each has one word of its own in 60: 55 of 61 runs shared.
    words = [WORDS[i % 7] + str(i) for i in range(60)]
    texts = [" ".join([*words[:30], f"w{i}", *words[31:]]) for i in range(20 * NEIGHBOURS)]
    assert (find_duplicates(texts, 0.8).near[1:] >= 0).all()


def test_a_large_pool_of_one_template_is_quick() -> None:
    rng = random.Random(0)
    frame = "please decide whether the review is kind or harsh and say why : {} thank you"
    texts = [frame.format(" ".join(rng.choices(WORDS, k=12))) for _ in range(9000)]
    start = time.process_time()
    result = find_duplicates(texts, 0.8)
    assert time.process_time() - start < 10
    assert np.count_nonzero(result.near >= 0) < 900
