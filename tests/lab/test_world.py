import json
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from harness.common.errors import InputError
from harness.common.schemas import POOL, PRETRAINING, TRUTH, check_frame
from harness.lab.families import Family
from harness.lab.references import full_clean
from harness.lab.world import FAMILIES, World, build_preferences, build_world, make_families
from harness.params.lab import LabParams
from tests.helpers.worlds import frame_bytes, world_digest

PARAMS = LabParams(instances=6000, documents=500)


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(PARAMS)


@pytest.fixture(scope="module")
def families() -> list[Family]:
    return make_families(PARAMS)


def digest_of_process(hash_seed: str) -> str:
    code = (
        "from tests.helpers.worlds import world_digest; "
        "from harness.lab.world import build_world; from harness.params.lab import LabParams;"
        "print(world_digest(build_world(LabParams(instances=300, skills=18, documents=60))))"
    )
    env = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_same_parameters_give_the_same_world_in_any_process() -> None:
    small = LabParams(instances=300, skills=18, documents=60)
    here = world_digest(build_world(small))
    assert digest_of_process("1") == here == digest_of_process("2")
    assert world_digest(build_world(small.model_copy(update={"seed": 1}))) != here


def test_frames_fit_their_schemas(world: World) -> None:
    check_frame(world.pool, POOL, "pool")
    check_frame(world.truth, TRUTH, "truth")
    check_frame(world.pretraining, PRETRAINING, "pretraining")
    assert world.pool["prompt"].is_unique


def test_planted_shares_are_as_asked(world: World) -> None:
    noise, source = (world.truth[name].to_numpy() for name in ("noise", "duplicate_of"))
    assert len(noise) == 6000
    assert (source != "").sum() == 900
    kinds = Counter(noise[source == ""])
    assert kinds == {"none": 4080, "wrong": 255, "truncated": 255, "off_topic": 255, "garbled": 255}
    assert abs((noise != "none").mean() - 0.2) < 0.02


def test_noise_is_concentrated_in_some_sub_skills(world: World) -> None:
    faulty = world.truth["noise"].to_numpy() != "none"
    skills = world.truth["skill"].to_numpy()
    rates = sorted(faulty[skills == skill].mean() for skill in set(skills))
    assert np.mean(rates[-30:]) > 3 * np.mean(rates[:-30])


def test_copies_are_near_and_share_what_is_planted(world: World) -> None:
    pool, truth = world.pool.set_index("id"), world.truth.set_index("id")
    sources = truth["duplicate_of"].tolist()
    copies = {n: s for n, s in zip(truth.index, sources, strict=True) if s}
    assert len(copies) == 900
    for name, source in copies.items():
        for column in ("skill", "noise"):
            assert truth.at[name, column] == truth.at[source, column]
        assert truth.at[source, "duplicate_of"] == ""
        assert pool.at[name, "response"] == pool.at[source, "response"]
        assert pool.at[name, "prompt"] != pool.at[source, "prompt"]


def test_faulty_responses_differ_from_the_right_ones(world: World, families: list[Family]) -> None:
    right = {
        family.answer(skill, subject)
        for family in families
        for skill in family.skills
        for subject in family.subjects(skill, "pool")
    }
    for response, noise in zip(world.pool["response"], world.truth["noise"], strict=True):
        if noise == "none":
            assert response in right
        if noise in ("truncated", "garbled"):
            assert response not in right


def test_frequencies_follow_zipf(world: World) -> None:
    counts = world.truth["skill"].value_counts().to_numpy()
    assert len(counts) == 100
    ranks = np.arange(1, 101)
    slope = np.polyfit(np.log(ranks), np.log(counts), 1)[0]
    assert -1.1 < slope < -0.9


def test_wrong_answers_are_wrong(families: list[Family]) -> None:
    rng = np.random.default_rng(0)
    for family in families:
        for skill in family.skills:
            for subject in family.subjects(skill, "pool")[:5]:
                right = family.answer(skill, subject)
                assert all(family.wrong(skill, subject, rng) != right for _ in range(10))


def test_test_subjects_never_occur_in_the_pool(world: World, families: list[Family]) -> None:
    assert [family.name for family in families] == list(FAMILIES)
    for family in families:
        for skill in family.skills:
            pool, test = family.subjects(skill, "pool"), family.subjects(skill, "test")
            assert pool
            assert test
            assert not set(pool) & set(test)
    items = [item for task in world.benchmarks.values() for item in task]
    prompts = {item["prompt"] for item in items}
    for frame, column in ((world.pool, "prompt"), (build_preferences(PARAMS), "prompt")):
        assert not prompts & set(frame[column])
    assert not prompts & set(world.pretraining["text"])
    answers = {item["choices"][item["target"]] for item in items if "choices" in item}
    clean = full_clean(world.truth)
    assert not answers & set(world.pool["response"].iloc[clean])


def test_benchmarks_are_balanced_and_well_formed(world: World) -> None:
    for task, items in world.benchmarks.items():
        assert 130 <= len(items) <= 200
        assert len({item["id"] for item in items}) == len(items)
        per_skill = pd.Series([item["skill"] for item in items]).value_counts()
        assert set(per_skill) == {10}
        if task in ("arithmetic", "code"):
            continue
        targets = pd.Series([item["target"] for item in items])
        assert all(len(set(item["choices"])) == 4 for item in items)
        assert targets.value_counts(normalize=True).max() < 0.4


def test_truths_and_errors_begin_alike(world: World) -> None:
    """A model that prefers a beginning must not thereby prefer a kind of answer."""
    kinds = Counter()
    for item in world.benchmarks["misconceptions"]:
        choices = item["choices"]
        assert choices[item["target"]].endswith(", in fact.")
        assert len({tuple(choice.split(" ")[:2]) for choice in choices}) == 1, "All, the animal"
        kinds.update(choice.partition(", ")[2] for choice in choices)
    assert kinds["people say."] == kinds["in fact."] > 0
    assert len(kinds) == 2


def value_of(call: str, scope: dict[str, object]) -> object:
    try:
        return eval(call, scope)
    except (TypeError, AttributeError):  # a function of numbers given lists, or the reverse
        return None


def test_reference_programs_pass_and_others_fail(world: World) -> None:
    items = world.benchmarks["code"]
    for item in items:
        for other in items:
            scope: dict[str, object] = {}
            exec(other["target"], scope)
            passed = all(
                value_of(test["call"], scope) == json.loads(test["expect"])
                for test in item["tests"]
            )
            assert passed == (other["target"] == item["target"]), (item["id"], other["target"])


def test_arithmetic_targets_end_the_stated_computation(families: list[Family]) -> None:
    family = next(family for family in families if family.name == "arithmetic")
    rng = np.random.default_rng(0)
    for skill in family.skills:
        for subject in family.subjects(skill, "test"):
            target = family.item(skill, subject, rng)["target"]
            assert family.answer(skill, subject).endswith(f" is {target}.")


def test_preferences_do_not_touch_anything_else(world: World) -> None:
    fewer = PARAMS.model_copy(update={"preferences": 20})
    other, preferences = build_world(fewer), build_preferences(PARAMS)
    assert len(preferences) == 500
    assert frame_bytes(build_preferences(fewer)) == frame_bytes(preferences.iloc[:20])
    assert frame_bytes(build_preferences(PARAMS)) == frame_bytes(preferences)
    for name in ("pool", "truth", "pretraining"):
        assert frame_bytes(getattr(world, name)) == frame_bytes(getattr(other, name))
    assert world.benchmarks == other.benchmarks
    assert not set(preferences["prompt"]) & set(world.pool["prompt"])
    chosen, rejected = preferences["chosen"], preferences["rejected"]
    assert all(a != b for a, b in zip(chosen, rejected, strict=True))


def test_the_world_is_built_without_its_preferences() -> None:
    # There are not so many fresh questions: making them would fail or never end.
    small = LabParams(instances=300, skills=18, documents=60, preferences=10**6)
    assert len(build_world(small).pool) == 300


def test_the_corpus_leaves_the_pool_unchanged(world: World) -> None:
    other = build_world(PARAMS.model_copy(update={"documents": 50}))
    assert frame_bytes(world.pool) == frame_bytes(other.pool)


def test_no_document_joins_a_question_to_its_answer(world: World, families: list[Family]) -> None:
    corpus = world.pretraining
    texts = [t for t, s in zip(corpus["text"], corpus["source"], strict=True) if s == "questions"]
    answers = [
        family.answer(skill, subject)
        for family in families
        for skill in family.skills
        for part in ("pool", "test")
        for subject in family.subjects(skill, part)
    ]
    assert len(texts) > 20
    assert not any(answer in text for text in texts for answer in answers)


def test_too_many_rows_for_the_words_are_refused() -> None:
    with pytest.raises(InputError, match=r"lab\.instances"):
        build_world(LabParams(instances=20000, skills=18, documents=10))
