"""The pairs that a reward model learns from: two kinds of fault, rows that nothing else sees."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.common.errors import InputError
from harness.common.schemas import FAULTS, PREFERENCE_FAULTS, PREFERENCES, check_frame
from harness.common.yaml_files import read_yaml
from harness.lab.world import build_preferences
from harness.params.lab import LabParams
from harness.params.prepare import PrepareParams
from harness.pools.instances import Instance
from harness.pools.preferences import make_preferences
from harness.pools.prepare import Prepared, prepare_section
from harness.suites.items import ItemSource
from tests.helpers.pool_files import as_jsonl
from tests.helpers.presets import preset_file

ROOT = Path(__file__).resolve().parents[2]
LAB = LabParams(instances=300, skills=18, documents=60, items_per_skill=2, preferences=80)


def instance(number: int, *turns: str, system: str = "") -> Instance:
    roles = ("user", "assistant")
    messages = [{"role": roles[i % 2], "content": text} for i, text in enumerate(turns)]
    first = [{"role": "system", "content": system}] if system else []
    return Instance(str(number), number, first + messages)


def rows(count: int) -> list[Instance]:
    return [
        instance(i, f"question {i}?", " ".join(f"word{i}x{j}" for j in range(12)))
        for i in range(count)
    ]


def test_a_spoilt_response_is_cut_or_anothers() -> None:
    given = rows(200)
    right = {i.prompt: i.response for i in given}
    made = make_preferences(given, 150, seed=0)
    check_frame(made, PREFERENCES, "made")
    assert len(made) == made["prompt"].nunique() == 150
    assert 50 < made["fault"].tolist().count("truncated") < 100
    for prompt, chosen, rejected, fault in made.drop(columns="id").itertuples(index=False):
        assert chosen == right[prompt] != rejected
        if fault == "truncated":
            assert chosen.startswith(rejected + " ")
            assert 3 <= len(rejected.split()) <= 6
        else:
            assert rejected in right.values()


def test_the_draw_depends_on_the_seed_and_has_its_own_stream() -> None:
    given = rows(100)
    first = make_preferences(given, 40, seed=0)
    pd.testing.assert_frame_equal(first, make_preferences(given, 40, seed=0))
    pd.testing.assert_frame_equal(first.iloc[:10], make_preferences(given, 10, seed=0))
    assert first["prompt"].tolist() != make_preferences(given, 40, seed=1)["prompt"].tolist()


def test_questions_without_a_proper_pair_are_skipped() -> None:
    given = [
        instance(0, "one word?", "Yes."),
        instance(1, "ONE  word?", "No."),  # the same question: its answer is not off topic
        instance(2, "same answer?", " YES. "),
        instance(3, "blank", "  "),
        instance(4, "never answered"),
    ]
    for seed in range(30):
        made = make_preferences(given, 10, seed)
        check_frame(made, PREFERENCES, "made")
        assert set(made["fault"]) <= {"off_topic"}  # one word cannot be cut
        pairs = set(made[["prompt", "rejected"]].itertuples(index=False, name=None))
        assert pairs <= {("ONE  word?", " YES. "), ("same answer?", "No.")}


def test_the_first_exchange_of_a_conversation_is_asked() -> None:
    given = [
        instance(i, f"first {i}", f"a{i} b{i} c{i} d{i}", "second", "x y z", system="Be kind.")
        for i in range(20)
    ]
    made = make_preferences(given, 20, seed=0)
    assert len(made) > 15
    assert made["prompt"].str.startswith("first ").all()
    assert made["chosen"].str.startswith("a").all()


@pytest.mark.parametrize(("count", "pairs"), [(0, 10), (10, 0)])
def test_without_pairs_the_table_is_empty(count: int, pairs: int) -> None:
    made = make_preferences(rows(count), pairs, seed=0)
    assert len(made) == 0
    check_frame(made, PREFERENCES, "made")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """What the own preset makes of 400 rows, and two benchmark items that repeat some of them."""
    folder = tmp_path_factory.mktemp("own")
    texts = [[" ".join(f"{k}{i}w{j}" for j in range(10)) for k in "qa"] for i in range(400)]
    given: list[dict[str, Any]] = [{"instruction": q, "output": a} for q, a in texts]
    as_jsonl(folder / "my.jsonl", given)
    as_jsonl(folder / "bench.jsonl", [{"question": q} for q, _ in texts[:60]])
    section = read_yaml(preset_file("own"))["prepare"] | {
        "source": str(folder / "my.jsonl"),
        "preference_pairs": 1000,
    }
    data = {"bench": ItemSource(path=str(folder / "bench.jsonl"))}
    return prepare_section(PrepareParams.model_validate(section), data=data)


def test_pairs_come_from_neither_pool_nor_held_out_rows_nor_benchmarks(own: Prepared) -> None:
    pairs = own.preferences
    check_frame(pairs, PREFERENCES, "made")
    assert len(own.heldout) == 40
    assert len(own.pretraining) < 200  # those that a benchmark holds are gone
    assert len(pairs) == len(own.pretraining)
    assert own.card["preferences"] == dict(sorted(pairs["fault"].value_counts().items()))
    asked = {item["question"] for item in own.benchmarks["bench"]}
    others = {*own.pool["prompt"], *own.heldout["prompt"]}
    answers = {*own.pool["response"], *own.heldout["response"]}
    assert not {*pairs["prompt"]} & (asked | others)
    assert not {*pairs["chosen"], *pairs["rejected"]} & answers
    base = set(own.pretraining["text"])
    assert set(pairs["prompt"] + "\n\n" + pairs["chosen"]) <= base


def test_the_labs_pairs_have_two_kinds_of_fault_of_the_four() -> None:
    made = prepare_section(PrepareParams(source="lab"), LAB)
    pairs = made.preferences
    check_frame(pairs, PREFERENCES, "made")
    assert len(pairs) == 80
    assert set(pairs["fault"]) == set(PREFERENCE_FAULTS) == {"truncated", "off_topic"}
    items = {item["prompt"] for items in made.benchmarks.values() for item in items}
    assert not set(pairs["prompt"]) & (items | set(made.pool["prompt"]))
    pd.testing.assert_frame_equal(pairs, build_preferences(LAB))
    cut = pairs[pairs["fault"] == "truncated"]
    assert all(c.startswith(r) for c, r in zip(cut["chosen"], cut["rejected"], strict=True))


def test_other_faults_come_from_another_stream() -> None:
    unseen = [fault for fault in FAULTS if fault not in PREFERENCE_FAULTS]
    made = build_preferences(LAB, unseen, "preferences/unseen")
    assert set(made["fault"]) == {"wrong", "garbled"}
    assert all(a != b for a, b in zip(made["chosen"], made["rejected"], strict=True))
    assert made["prompt"].tolist() != build_preferences(LAB)["prompt"].tolist()


def test_more_pairs_than_questions_are_refused() -> None:
    message = r"lab\.preferences: after \d+, hardly any question is new"
    with pytest.raises(InputError, match=message):
        build_preferences(LAB.model_copy(update={"preferences": 10**9}))


def test_the_pool_is_the_same_with_and_without_pairs() -> None:
    many = prepare_section(PrepareParams(source="lab"), LAB)
    none = prepare_section(
        PrepareParams(source="lab"), LabParams(**LAB.model_dump() | {"preferences": 0})
    )
    assert len(none.preferences) == 0
    check_frame(none.preferences, PREFERENCES, "made")
    for name in ("pool", "truth", "pretraining", "heldout"):
        pd.testing.assert_frame_equal(getattr(many, name), getattr(none, name))
    assert json.dumps(many.benchmarks) == json.dumps(none.benchmarks)
