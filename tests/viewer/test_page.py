"""The page of samples: what it shows of one run and of two, and what it says is not there."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from harness.common import layout
from harness.common.errors import InputError
from harness.common.schemas import HELDOUT, SAMPLES, frame_of, write_frame
from harness.evaluation.evaluate import evaluate
from harness.models.loading import load_tokenizer
from harness.models.template import render
from harness.params.params import load_params
from harness.suites import SUITES, read_suite
from harness.suites.metrics import SeedMetrics
from harness.viewer.page import Run, find_run, page_data, write_page
from tests.helpers.build_runs import write_cell
from tests.helpers.judged_suite import write_judged
from tests.helpers.presets import preset_file
from tests.helpers.small_suite import (
    CHOICES,
    PARAMS,
    heldout,
    write_benchmarks,
    write_lines,
    write_suite,
)
from tests.helpers.toy_suite import write_toy_suite

GROUP = """
name: group
title: Groups
headline: mmlu
data:
  mmlu: {path: mmlu.jsonl}
  gsm8k: {path: gsm8k.jsonl}
  gsm8k_train: {path: gsm8k_train.jsonl}
  truthfulqa: {path: truthfulqa.jsonl}
columns:
  - {name: mmlu, label: MMLU, kind: lm_eval, builtin: mmlu, splits: {test: mmlu}, subset: subject,
     metric: "acc,none", higher_is_better: true, cluster: subject}
  - {name: gsm8k, label: GSM8K, kind: lm_eval, builtin: gsm8k, shots: 1,
     splits: {test: gsm8k, train: gsm8k_train}, metric: "exact_match,strict-match",
     higher_is_better: true}
  - {name: truthfulqa, label: TruthfulQA, kind: lm_eval, builtin: truthfulqa_mc2,
     splits: {validation: truthfulqa}, metric: "acc,none", higher_is_better: true}
"""
SUBJECTS = ("anatomy", "anatomy", "virology", "astronomy")
TRUE = {"choices": ["A bird.", "A fish.", "An animal."], "labels": [1, 0, 1]}
GROUP_ITEMS = {
    "mmlu": [
        {
            "id": f"mmlu_{i}",
            "subject": subject,
            "question": f"What is {i}?",
            "choices": ["one", "two", "three", f"{i}"],
            "answer": 3,
        }
        for i, subject in enumerate(SUBJECTS)
    ],
    "gsm8k": [{"id": "g0", "question": "Add 1 and 2.", "answer": "1 + 2 = 3\n#### 3"}],
    "gsm8k_train": [{"id": "t0", "question": "Add 2 and 2.", "answer": "2 + 2 = 4\n#### 4"}],
    "truthfulqa": [
        {"id": "t0", "question": "What is a crane?", "mc1_targets": TRUE, "mc2_targets": TRUE}
    ],
}
HOSTILE = "</script><script>alert(1)</script><!-- \u2028"


@pytest.fixture(scope="module")
def folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a base model, a suite, its items and the held-out rows."""
    root = tmp_path_factory.mktemp("viewer")
    shutil.copytree(tiny_model, root / layout.BASE_MODEL)
    (root / layout.BENCHMARKS).mkdir(parents=True)
    write_benchmarks(root / layout.BENCHMARKS)
    write_frame(root / layout.HELDOUT_FILE, heldout(), HELDOUT)
    (root / "suite").mkdir()
    write_suite(root / "suite")
    return root


@pytest.fixture
def there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    monkeypatch.setitem(SUITES, "small", folder / "suite")
    return folder


@pytest.fixture(scope="module")
def runs(folder: Path, tiny_model: Path) -> list[Run]:
    """The tiny model twice, by two seeds."""
    made = []
    for seed in (0, 1):
        suite = write_suite(folder / "suite")
        result = evaluate(
            tiny_model, suite, folder / layout.BENCHMARKS, heldout(), PARAMS, seed=seed
        )
        values = {n: v for n, v in result._asdict().items() if n != "samples"}
        metrics = SeedMetrics.model_validate(values)
        made.append(Run(f"tiny, seed {seed}", "main", result.samples, metrics))
    return made


def data(runs: list[Run], most: int | None = None) -> dict[str, Any]:
    params: Any = SimpleNamespace(evaluate=PARAMS)
    from harness.suites import load_suite

    return page_data(params, load_suite("small"), runs, most)


def test_runs_of_two_base_models_have_a_page_each(there: Path, runs: list[Run]) -> None:
    other = replace(runs[1], base="wide")
    rule = r"VS: tiny, seed 0 and tiny, seed 1 are trained from other base models \(main, wide\)"
    with pytest.raises(InputError, match=rule):
        data([runs[0], other])


def test_every_item_with_what_was_asked_answered_and_scored(there: Path, runs: list[Run]) -> None:
    made = data(runs[:1])
    assert [one["name"] for one in made["benchmarks"]] == [
        "Choice",
        "Norm",
        "Text",
        "Code",
        "A",
        "All",
    ]
    choice = made["benchmarks"][0]
    samples = runs[0].samples
    own = samples.loc[samples["task"] == "choice"].set_index("item")
    tokenizer = load_tokenizer(layout.BASE_MODEL)
    for item, row in zip(choice["items"], CHOICES, strict=True):
        asked = [{"role": "user", "content": row["prompt"]}]
        whole = choice["head"] + item["prompt"]
        assert whole == render(tokenizer, asked, add_generation_prompt=True)
        assert item["choices"] == row["choices"]
        assert item["right"] == row["choices"][row["target"]]
        assert item["answers"] == [own["prediction"][row["id"]]]
        assert item["scores"] == [own["score"][row["id"]]]
    assert (choice["kind"], choice["changed"]) == ("lm_eval", 0)
    assert choice["cluster"] == "skill"
    assert [item["cluster"] for item in choice["items"][:2]] == ["even", "odd"]
    held = made["benchmarks"][-1]
    assert (held["kind"], held["higher"]) == ("bits_per_byte", False)
    assert [item["right"] for item in held["items"]] == ["Lubi.", "x + 1", "süß"]
    programs = json.loads(made["benchmarks"][3]["items"][0]["answers"][0])
    assert [one["passes"] for one in programs] == [True, True, True]


def test_two_runs_lie_side_by_side(there: Path, runs: list[Run]) -> None:
    made = data(runs)
    assert made["runs"] == ["tiny, seed 0", "tiny, seed 1"]
    for bench in made["benchmarks"]:
        assert len(bench["scores"]) == 2
        assert all(len(item["scores"]) == len(item["answers"]) == 2 for item in bench["items"])


def test_items_that_only_one_run_has_are_counted(there: Path, runs: list[Run]) -> None:
    other = runs[1].samples
    fewer = other.loc[~(other["task"].eq("choice") & other["item"].isin(["q0", "q1"]))]
    bench = data([runs[0], Run("fewer", "main", fewer, runs[1].metrics)])["benchmarks"][0]
    assert (len(bench["items"]), bench["of"], bench["alone"]) == (7, 7, 2)


def test_a_changed_prompt_is_said_and_not_shown(there: Path, runs: list[Run]) -> None:
    other = runs[0].samples.copy()
    first = other["task"].eq("choice") & other["item"].eq("q0")
    other.loc[first, "prompt_hash"] = "0" * 64
    bench = data([Run("x", "main", other, runs[0].metrics)])["benchmarks"][0]
    assert bench["changed"] == 1
    assert bench["items"][0]["prompt"] == ""


def test_so_many_items_are_drawn_and_said(there: Path, runs: list[Run]) -> None:
    bench = data(runs[:1], most=4)["benchmarks"][0]
    assert (len(bench["items"]), bench["of"]) == (4, 9)
    assert bench == data(runs[:1], most=4)["benchmarks"][0]


def test_text_in_an_answer_is_never_markup(there: Path, runs: list[Run], tmp_path: Path) -> None:
    other = runs[0].samples.copy()
    other["prediction"] = HOSTILE
    params: Any = SimpleNamespace(evaluate=PARAMS)
    write_page(params, [Run(HOSTILE, "main", other, runs[0].metrics)], None, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert text.count("</script>") == 2  # the data's and the code's
    assert "alert(1)</script>" not in text
    embedded = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL
    )
    assert embedded is not None
    assert json.loads(embedded[1])["runs"] == [HOSTILE]
    assert "http" not in text.replace("http-equiv", "")  # nothing is fetched


def test_the_run_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SUITES, "toy", write_toy_suite(tmp_path / "toy"))
    params = load_params(preset_file("alpaca_cpu"))
    params = params.model_copy(
        update={"evaluate": params.evaluate.model_copy(update={"suite": "toy"})}
    )
    from harness.suites import load_suite

    write_cell(params, load_suite("toy"), params.main_cell("random", "s0_1_2"))
    assert find_run(params, "random").name == "random, seed 0"
    assert find_run(params, "random").base == "main"
    second = find_run(params, "random:2")
    assert second.name == "random, seed 2"
    assert isinstance(second.samples, pd.DataFrame)
    assert set(second.samples["seed"]) == {2}
    for name, message in {
        "randum": "RUN=randum: no row is called 'randum'; did you mean 'random'",
        "random:7": "RUN=random:7: random has no seed '7'; choices: 0, 1, 2",
        "kmq": r"metrics\.json: no such file; run dvc repro evaluate@kmq-s0_1_2",
    }.items():
        with pytest.raises(InputError, match=message):
            find_run(params, name)
    older = params.evaluate.model_copy(update={"suite": "own"})
    with pytest.raises(InputError, match="scores of suite toy, not of own"):
        find_run(params.model_copy(update={"evaluate": older}), "random")


def test_groups_and_tasks_of_lm_eval(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_model, layout.BASE_MODEL)
    config = json.loads((tiny_model / "config.json").read_text())
    longer = json.dumps(config | {"max_position_embeddings": 1024})  # for an answer of GSM8K
    (layout.BASE_MODEL / "config.json").write_text(longer)
    layout.BENCHMARKS.mkdir()
    for name, rows in GROUP_ITEMS.items():
        write_lines(layout.BENCHMARKS / f"{name}.jsonl", rows)
    (tmp_path / "suite.yaml").write_text(GROUP)
    suite = read_suite(tmp_path)
    result = evaluate(layout.BASE_MODEL, suite, layout.BENCHMARKS, heldout(), PARAMS, seed=0)
    values = {n: v for n, v in result._asdict().items() if n != "samples"}
    run = Run("tiny", "main", result.samples, SeedMetrics.model_validate(values))
    params: Any = SimpleNamespace(evaluate=PARAMS)
    mmlu, gsm8k, truthfulqa = page_data(params, suite, [run], None)["benchmarks"]
    assert [one["changed"] for one in (mmlu, gsm8k, truthfulqa)] == [0, 0, 0]
    assert {one["item"]: one["cluster"] for one in mmlu["items"]} == {
        f"mmlu_{i}": subject for i, subject in enumerate(SUBJECTS)
    }
    for one in mmlu["items"]:
        number = one["item"].removeprefix("mmlu_")
        assert f"about {one['cluster']}" in mmlu["head"] + one["prompt"]
        assert f"What is {number}?\nA. one\nB. two\nC. three\nD. {number}" in one["prompt"]
        assert (one["choices"], one["right"]) == (["A", "B", "C", "D"], "D")
        assert one["answers"][0] in one["choices"]
    (sum_of,) = gsm8k["items"]
    assert "Add 2 and 2." in sum_of["prompt"]  # the example
    assert "Add 1 and 2." in sum_of["prompt"]
    assert (sum_of["right"], gsm8k["shots"]) == ("1 + 2 = 3\n#### 3", [1])
    assert truthfulqa["items"][0]["right"] == "A bird. | An animal."


def test_a_judged_column_is_no_benchmark_with_right_answers(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_model, layout.BASE_MODEL)
    suite = write_judged(tmp_path)
    shutil.copytree(tmp_path / "benchmarks", layout.BENCHMARKS)
    rows = [("", 0, "why", f"w{i}", None, "So.", 25.0 * i, 1.0, None) for i in range(5)]
    metrics = SeedMetrics.model_validate(
        {"scores": {"why": 50.0}, "n": {"why": 5}, "shots": {"why": 0}, "seconds": {}}
    )
    params: Any = SimpleNamespace(evaluate=PARAMS)
    judged = Run("x", "main", frame_of(SAMPLES, rows), metrics)
    (why,) = page_data(params, suite, [judged], None)["benchmarks"]
    assert (why["kind"], why["higher"], why["scores"]) == ("judge", True, [50.0])
    assert "Why 4?" in why["items"][4]["prompt"]
    assert (why["items"][4]["right"], why["items"][4]["scores"]) == ("It is 4.", [100.0])
