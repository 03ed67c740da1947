"""The page's script, run by node: filters, verdicts, two runs, what is said of a benchmark."""

from typing import Any

import pytest

from harness.viewer.page import page_html
from tests.helpers.viewer_page import Step, items, shown


def item(
    name: str, scores: list[float], answers: list[str] | None = None, **more: object
) -> dict[str, Any]:
    empty = {"cluster": "", "prompt": f"What is {name}?", "choices": [], "right": "It is."}
    return {
        "item": name,
        "scores": scores,
        "answers": answers or ["A"] * len(scores),
        **empty,
        **more,
    }


def bench(kind: str, rows: list[dict[str, Any]], **more: object) -> dict[str, Any]:
    plain = {"name": kind, "kind": kind, "higher": kind != "bits_per_byte", "cluster": ""}
    counts = {"of": len(rows), "alone": 0, "changed": 0, "head": ""}
    runs = len(rows[0]["scores"])
    return {
        **plain,
        **counts,
        "shots": [None] * runs,
        "scores": [50.0] * runs,
        "items": rows,
    } | more


def page(benchmarks: list[dict[str, Any]]) -> str:
    names = ["kmq, seed 1", "random, seed 0"][: len(benchmarks[0]["scores"])]
    return page_html({"runs": names, "suite": "Toy", "benchmarks": benchmarks})


ONE = page(
    [
        bench(
            "lm_eval",
            [
                item("a", [100.0], ["Lubi"], cluster="odd"),
                item("b", [0.0], ["Zanu"], cluster="even"),
                item("c", [37.5], cluster="even", choices=["a Fish", "b"]),
                item("d", [100.0], cluster="even", right="the Sea"),
            ],
            cluster="skill",
        ),
        bench("bits_per_byte", [item("x", [0.0], ["Zanu"]), item("y", [100.0])], scores=[0.6034]),
        bench("judge", [item("w", [100.0]), item("v", [0.0]), item("u", [131.26])]),
    ]
)
# Both right, the first alone, the second alone, both wrong, and two between.
TWO = [[100.0, 100.0], [100.0, 0.0], [0.0, 100.0], [0.0, 0.0], [40.0, 60.0], [60.0, 60.0]]
PAIRS = page(
    [
        bench("lm_eval", [item(name, scores) for name, scores in zip("abcdef", TWO, strict=True)]),
        bench(
            "bits_per_byte", [item("x", [0.5, 0.7]), item("y", [0.7, 0.5]), item("z", [1.0, 1.0])]
        ),
        bench("judge", [item("w", [120.0, 90.0]), item("v", [90.0, 120.0])]),
    ]
)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], "abcd"),
        ([("verdict_0", "right")], "ad"),
        ([("verdict_0", "wrong")], "b"),
        ([("verdict_0", "between")], "c"),
        ([("verdict_0", "right"), ("verdict_0", "")], "abcd"),
        ([("cluster", "even")], "bcd"),
        ([("cluster", "even"), ("verdict_0", "right")], "d"),
        ([("text", "WHAT IS B")], "b"),  # in the prompt, whatever the case
        ([("text", "lubi")], "a"),  # in an answer
        ([("text", "fish")], "c"),  # in a choice
        ([("text", "the sea")], "d"),  # in what is right
        ([("text", "lubi"), ("verdict_0", "wrong")], ""),
        ([("verdict_0", "wrong"), ("benchmark", "1")], "xy"),  # it has no right and wrong
        ([("verdict_0", "wrong"), ("benchmark", "2")], "wvu"),
        ([("cluster", "odd"), ("benchmark", "1"), ("benchmark", "0")], "abcd"),
    ],
)
def test_filters_of_one_run(steps: list[Step], expected: str) -> None:
    after = shown(ONE, *steps)
    assert [name[0] for name in items(after)] == list(expected)
    of = {"1": 2, "2": 3}.get(str(dict(steps).get("benchmark")), 4)
    assert after["count"] == f"{len(expected)} of {of} items"


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([("verdict_0", "right")], "ab"),
        ([("verdict_1", "right")], "ac"),
        ([("verdict_1", "wrong")], "bd"),
        ([("verdict_0", "right"), ("verdict_1", "right")], "a"),
        ([("verdict_0", "wrong"), ("verdict_1", "right")], "c"),
        ([("verdict_1", "between")], "ef"),
        ([("compared", "differ")], "bce"),
        ([("compared", "first")], "b"),
        ([("compared", "second")], "ce"),
        ([("compared", "second"), ("verdict_0", "between")], "e"),
        ([("benchmark", "1"), ("compared", "differ")], "xy"),
        ([("benchmark", "1"), ("compared", "first")], "x"),  # fewer bits are better
        ([("benchmark", "1"), ("compared", "second")], "y"),
        ([("benchmark", "2"), ("compared", "first")], "w"),
        ([("benchmark", "2"), ("compared", "second")], "v"),
    ],
)
def test_filters_of_two_runs(steps: list[Step], expected: str) -> None:
    assert items(shown(PAIRS, *steps)) == list(expected)


def test_right_and_wrong_are_said_of_graded_answers_alone() -> None:
    graded, bits, judged = (shown(ONE, ("benchmark", str(i))) for i in range(3))
    heads = [card["scores"][0].removeprefix("kmq, seed 1: ") for card in graded["cards"]]
    assert heads == ["right", "wrong", "37.5%", "right"]
    assert [card["marks"] for card in graded["cards"]] == [["right"], ["wrong"], [], ["right"]]
    heads = [card["scores"][0].removeprefix("kmq, seed 1: ") for card in bits["cards"]]
    assert heads == ["0.000 bits per byte", "100.000 bits per byte"]
    heads = [card["scores"][0].removeprefix("kmq, seed 1: ") for card in judged["cards"]]
    assert heads == ["100.0", "0.0", "131.3"]
    assert not [mark for one in (bits, judged) for card in one["cards"] for mark in card["marks"]]
    assert [one["hidden"].count("verdicts") for one in (graded, bits, judged)] == [0, 1, 1]
    assert "Right: It is." in graded["cards"][0]["text"]
    assert "The reference's answer:It is." in judged["cards"][0]["text"]
    assert "Response that is scored:It is." in bits["cards"][0]["text"]
    assert "Zanu" not in bits["cards"][0]["text"]  # nothing was answered


def test_what_is_said_of_a_benchmark() -> None:
    graded, bits, judged = (shown(ONE, ("benchmark", str(i))) for i in range(3))
    assert graded["about"] == "Toy. lm_eval: 50.0 (kmq, seed 1). Percent."
    bits_said = "Toy. bits_per_byte: 0.603 (kmq, seed 1). Bits per byte: lower is better."
    assert bits["about"] == bits_said
    assert "100 is as good as the reference" in judged["about"]
    assert "%" not in judged["about"] + judged["cards"][0]["text"]
    rows = [item("a", [0.0, 0.0])]
    some = {"of": 40, "alone": 2, "changed": 1, "shots": [5, 5], "scores": [None, 12.0]}
    said = shown(page([bench("lm_eval", rows, **some)]))["about"]
    assert said == (
        "Toy. lm_eval: – (kmq, seed 1), 12.0 (random, seed 0). Percent."
        " Examples before each question: 5. 1 of 40 items, drawn at random."
        " Items that only one run has, left out: 2."
        " Items whose prompt has changed since the run, or is gone: 1."
    )


def test_the_choices_that_are_offered() -> None:
    one, two = shown(ONE), shown(PAIRS)
    verdicts = ["all", "right", "wrong", "in between"]
    assert one["options"] == {
        "benchmark": ["lm_eval", "bits_per_byte", "judge"],
        "cluster": ["all", "even", "odd"],
        "verdict_0": verdicts,
    }
    better = ["kmq, seed 1 is better", "random, seed 0 is better"]
    assert two["options"]["compared"] == ["all", "they differ", *better]
    assert two["options"]["verdict_0"] == two["options"]["verdict_1"] == verdicts
    assert "cluster_label" in two["hidden"]
    assert "cluster_label" not in one["hidden"]
    for name, place in (("kmq, seed 1", 0), ("random, seed 0", 1)):  # whose verdict is meant
        assert f'<label>{name} <select id="verdict_{place}">' in PAIRS
    assert '<label>answer <select id="verdict_0">' in ONE


def test_more_items_follow_on_a_click() -> None:
    html = page([bench("lm_eval", [item(f"i{i}", [0.0]) for i in range(60)])])
    first, second, third = (shown(html, *[("more", None)] * clicks) for clicks in range(3))
    assert [len(items(one)) for one in (first, second, third)] == [25, 50, 60]
    assert items(third) == [f"i{i}" for i in range(60)]
    assert "more" not in second["hidden"]
    assert "more" in third["hidden"]


def test_programs_are_shown_one_by_one_and_other_lists_as_they_are() -> None:
    programs = '[{"answer": "x = 1", "passes": true}, {"answer": "", "passes": false}]'
    rows = [item("a", [50.0], [programs]), item("b", [0.0], ["[]"]), item("c", [0.0], ["[1]"])]
    cards = shown(page([bench("lm_eval", rows)]))["cards"]
    assert cards[0]["text"].endswith("50.0%passesx = 1fails(empty)")
    assert cards[1]["text"].endswith("wrong[]")
    assert cards[2]["text"].endswith("wrong[1]")


def test_choices_are_a_line_where_they_are_short() -> None:
    long = ["It is a fish that lives in the sea.", "It is a bird."]
    rows = [item("a", [0.0], choices=["A", "B"]), item("b", [0.0], choices=long)]
    short, listed = shown(page([bench("lm_eval", rows)]))["cards"]
    assert "Choices: A | B" in short["text"]
    assert "".join(long) in listed["text"]
    assert "Choices" not in listed["text"]


def test_a_prompt_that_has_changed_and_a_shared_beginning() -> None:
    rows = [item("a", [0.0], prompt=""), item("b", [0.0])]
    cards = shown(page([bench("lm_eval", rows, head="Q: 1\nA: 2\n")]))["cards"]
    assert "(the prompt has changed since the run)" in cards[0]["text"]
    assert "Q: 1\nA: 2\nWhat is b?" in cards[1]["text"]
