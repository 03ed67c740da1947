"""Overlap is what a naive search finds."""

import random

import pytest

from harness.params.prepare import OverlapParams
from harness.pools.overlap import COMMON, Items, SearchedTexts
from harness.pools.word_runs import WORD, Vocabulary, normalise

PARAMS = OverlapParams(words=4, share=0.5)


def find(
    texts: list[str], items: list[str], prompts: list[str] | None = None
) -> list[tuple[int, int]]:
    vocabulary = Vocabulary()
    index = Items(items, PARAMS, vocabulary)
    return index.find(SearchedTexts(texts, prompts or texts, PARAMS, vocabulary))


def naive(texts: list[str], items: list[str]) -> list[tuple[int, int]]:
    def runs(text: str) -> set[tuple[str, ...]]:
        words = WORD.findall(normalise(text))
        return {tuple(words[i : i + 4]) for i in range(len(words) - 3)}

    normal = [normalise(item) for item in items]
    held = [runs(item) for item in items]
    pairs = []
    for row, text in enumerate(texts):
        for item in range(len(items)):
            if normal.index(normal[item]) != item:
                continue
            shared = len(runs(text) & held[item])
            if normalise(text) == normal[item] or (shared and shared * 2 >= len(held[item])):
                pairs.append((row, item))
    return pairs


@pytest.mark.parametrize("seed", range(3))
def test_overlap_equals_a_naive_search(seed: int) -> None:
    rng = random.Random(seed)
    words = [f"w{i}" for i in range(300)]
    items = [" ".join(rng.choices(words, k=rng.randint(1, 30))) for _ in range(60)]
    items += items[:5]
    texts = []
    for _ in range(2500):
        text = rng.choices(words, k=rng.randint(1, 20))
        part = rng.choice(items).split()
        at = rng.randint(0, len(part))
        texts.append(" ".join(text[:5] + part[at : at + rng.randint(0, 30)] + text[5:]))
    want = naive(texts, items)
    assert len(want) > 100
    assert find(texts, items) == want


def test_overlap_worked_by_hand() -> None:
    item = "one two three four five six seven eight"  # five runs of four
    texts = [
        "ONE two  three four five six seven eight",  # equal
        "zero one two three four five six nine",  # three of five
        "zero one two three four five nine",  # two of five
        "x",
        "short item",
    ]
    assert find(texts, [item, "Short  item", "x y"]) == [(0, 0), (1, 0), (4, 1)]
    # A prompt that is the item counts, whatever the response; a short item inside a text does not.
    texts = ["x y and its answer", "x y z"]
    assert find(texts, ["x y"], prompts=["x y", "x y z"]) == [(0, 0)]


SHORT = OverlapParams(words=8)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("what is the capital of france", True),  # without its question mark
        ("Please answer: What is the capital of France? Thanks!", True),
        ("What is the capital of Spain?", False),
        ("What is, the capital: of France", True),
        ("the capital of France", False),
        ("Of France what is the capital", False),
        ("Write a test with a question such as what is the capital of France", False),
    ],
)
def test_a_short_item_is_found_within_a_text(text: str, result: bool) -> None:
    vocabulary = Vocabulary()
    index = Items(["What is the capital of France?", "Why?", "?"], SHORT, vocabulary)
    rows = SearchedTexts([f"{text}\nParis."], [text], SHORT, vocabulary)
    assert index.find(rows) == ([(0, 0)] if result else [])


def test_words_too_few_to_look_for_can_be_equal() -> None:
    vocabulary = Vocabulary()
    index = Items(["Why?", "Who are you?", "who are you"], SHORT, vocabulary)
    rows = SearchedTexts(
        ["Why not", "Who are you, sir", "WHO ARE YOU"], ["why", "x", "y"], SHORT, vocabulary
    )
    assert index.find(rows) == [(0, 0), (2, 1), (2, 2)]


def test_a_shared_template_is_not_an_overlap() -> None:
    frame = "please read this review and decide whether it is kind or harsh {} now"
    items = [frame.format(f"a{i} b{i} c{i} d{i} e{i}") for i in range(COMMON + 10)]
    rows = [frame.format("p q r s t"), frame.format("a3 b3 c3 d3 e3 f3")]
    assert find(rows, items) == [(1, 3)]
    # Few items with the same words make no template.
    assert find(rows, items[:5])[:2] == [(0, 0), (0, 1)]


def test_nothing_overlaps_nothing() -> None:
    assert find([], ["a b c d"]) == []
    assert find(["a b c d"], []) == []
