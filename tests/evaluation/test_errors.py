"""What an evaluation refuses, and how it says so."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.common.errors import InputError
from harness.common.stores import seal
from harness.evaluation.benchmarks import runs_programs
from harness.evaluation.evaluate import evaluate
from harness.evaluation.language_model import language_model
from harness.evaluation.tasks import prepare_column, run_tasks
from harness.models.loading import load_model, load_tokenizer
from harness.models.template import render
from harness.suites import SUITES, Suite, load_suite, read_suite, read_task
from tests.helpers.small_suite import (
    CHOICES,
    PARAMS,
    SHOTS,
    SUITE,
    heldout,
    write_benchmarks,
    write_lines,
    write_suite,
)
from tests.helpers.yaml_bombs import MERGES


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return write_suite(tmp_path_factory.mktemp("suite"))


@pytest.fixture(scope="module")
def benchmarks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_benchmarks(tmp_path_factory.mktemp("benchmarks"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("choice.jsonl", None, "choice.jsonl: benchmark file missing"),
        ("choice.jsonl", "", "choice.jsonl: no items"),
        ("text.jsonl", '{"prompt": "a", "target": "b"}\n{"prompt"', "text.jsonl, line 2: not JSON"),
        ("text.jsonl", "[1]\n", "text.jsonl, line 1: not a JSON object"),
    ],
)
def test_bad_benchmark_files(
    tiny_model: Path,
    suite: Suite,
    benchmarks: Path,
    tmp_path: Path,
    name: str,
    content: str | None,
    message: str,
) -> None:
    for file in benchmarks.iterdir():
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        evaluate(tiny_model, suite, tmp_path, heldout(), PARAMS, seed=0)


def test_a_held_out_source_that_is_missing(tiny_model: Path) -> None:
    own = load_suite("own")
    rows = heldout()
    with pytest.raises(InputError, match="no rows of any source for column bpb; it has none"):
        evaluate(tiny_model, own, Path(), rows.iloc[:0], PARAMS, seed=0)
    alpaca = load_suite("alpaca_cpu")
    bits = alpaca.model_copy(update={"columns": alpaca.columns[:3]})
    kept_back = rows.assign(source="validation_a")
    with pytest.raises(InputError, match="no rows of any source for column bpb; it has none"):
        evaluate(tiny_model, own, Path(), kept_back, PARAMS, seed=0)
    with pytest.raises(InputError, match="no rows of alpaca for column bpb_alpaca; it has a, b"):
        evaluate(tiny_model, bits, Path(), rows, PARAMS, seed=0)


@pytest.mark.parametrize("name", SUITES)
def test_the_suites_read(name: str) -> None:
    suite = load_suite(name)
    assert suite.name == name
    assert suite.headline in {column.name for column in suite.columns}


def test_an_item_without_the_field_of_its_cluster(
    tiny_model: Path, suite: Suite, benchmarks: Path
) -> None:
    column = suite.column("choice").model_copy(update={"cluster": "subject"})
    wrong = suite.model_copy(update={"columns": [column], "headline": "choice"})
    with pytest.raises(InputError, match="column choice: cluster subject: an item has no such"):
        evaluate(tiny_model, wrong, benchmarks, heldout(), PARAMS, seed=0)


@pytest.mark.parametrize(
    ("metric", "remedy"),
    [
        ("f1,none", "; choices: exact_match,none"),
        ("exact_mach,none", "; did you mean 'exact_match,none'?"),
    ],
)
def test_a_metric_that_does_not_exist(
    tiny_model: Path, suite: Suite, benchmarks: Path, metric: str, remedy: str
) -> None:
    column = suite.column("text").model_copy(update={"metric": metric})
    wrong = suite.model_copy(update={"columns": [column]})
    with pytest.raises(InputError, match=re.escape(f"no metric {metric!r}{remedy}")):
        evaluate(tiny_model, wrong, benchmarks, heldout(), PARAMS, seed=0)


def test_more_examples_than_there_are(tiny_model: Path, suite: Suite, benchmarks: Path) -> None:
    column = suite.column("text").model_copy(update={"shots": 6})
    wrong = suite.model_copy(update={"columns": [column]})
    rule = "text.yaml: shots is 6, its file has 5 examples; ask for fewer shots or give a file"
    with pytest.raises(InputError, match=rule):
        evaluate(tiny_model, wrong, benchmarks, heldout(), PARAMS, seed=0)


def test_pass_at_10_of_fewer_answers(
    tiny_model: Path, suite: Suite, benchmarks: Path, tmp_path: Path
) -> None:
    shutil.copytree(suite.folder, tmp_path / "suite")
    path, metrics = tmp_path / "suite/code.yaml", "metric_list: [{metric: pass@1"
    both = "{metric: pass@10, aggregation: mean, higher_is_better: true}, {metric: pass@1"
    path.write_text(path.read_text().replace(metrics, f"metric_list: [{both}"))
    column = suite.column("code").model_copy(update={"metric": "pass@10,run"})
    wrong = suite.model_copy(update={"folder": tmp_path / "suite", "columns": [column]})
    rule = "no pass@10 of so few answers, only pass@1; raise evaluate.code_samples"
    with pytest.raises(InputError, match=rule):
        evaluate(tiny_model, wrong, benchmarks, heldout(), PARAMS, seed=0)


def test_an_answer_longer_than_the_context(tiny_model: Path, suite: Suite, tmp_path: Path) -> None:
    items = [{**CHOICES[0], "id": "a"}, {**CHOICES[1], "choices": ["ÿ" * 200, "b"], "target": 0}]
    write_lines(tmp_path / "choice.jsonl", items)
    write_lines(tmp_path / "choice_shots.jsonl", SHOTS)
    few = suite.model_copy(update={"columns": [suite.column("choice")]})
    rule = r"choice, item 2: an answer of \d{3} tokens, the model's context is 128; leave the item"
    with pytest.raises(InputError, match=rule):
        evaluate(tiny_model, few, tmp_path, heldout(), PARAMS, seed=0)


@pytest.fixture(scope="module")
def broken(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose logits are NaN."""
    import torch

    folder = tmp_path_factory.mktemp("broken") / "model"
    shutil.copytree(tiny_model, folder)
    model: Any = load_model(folder, dtype=torch.float32)
    with torch.no_grad():
        model.get_output_embeddings().weight.fill_(float("nan"))
    model.save_pretrained(folder)
    seal(folder)
    return folder


@pytest.mark.parametrize(
    ("column", "where"),
    [("choice", "choice: "), ("text", "generation: "), ("bpb_a", "held-out row '[12]': ")],
)
@pytest.mark.parametrize("chat", [True, False])
def test_a_model_that_gives_nan(
    broken: Path, suite: Suite, benchmarks: Path, column: str, where: str, chat: bool
) -> None:
    one = suite.model_copy(update={"columns": [suite.column(column)]})
    params = PARAMS.model_copy(update={"chat_template": chat})
    with pytest.raises(InputError, match=f"{where}the model gives NaN; train with a lower rate"):
        evaluate(broken, one, benchmarks, heldout(), params, seed=0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("headline: avg", "headline: average", "no column 'average'"),
        ("kind: mean, of: [choice, text]", "kind: mean", "column avg: kind mean needs `of`"),
        ("sources: [a]", "sources: [a], task: x.yaml", "bits_per_byte has no use for `task`"),
        ("task: text.yaml", "task: nowhere.yaml", "column text: no task file nowhere.yaml"),
        ("name: norm", "name: choice", "two columns share a name"),
        ("of: [choice, text]", "of: []", r"column avg: `of` is \[\]; a mean is of one column"),
        ("of: [choice, text]", "of: [choice, avg]", "none of them a mean"),
        ("label: Code", "lable: Code", "label"),
        ("title: Small", "title: [", "not YAML"),
        ("shots: fit", "shots: -1", r"columns\.1\.shots"),
        ("max_shots: 6", "max_shots: 0", "max_shots: "),
        ("shots: fit", "shots: fit, items: 0", "items: "),
        ("shots: fit", "shots: fit, subset: subject", "has no use for `subset`"),
    ],
)
def test_malformed_suites(suite: Suite, tmp_path: Path, old: str, new: str, message: str) -> None:
    for file in suite.folder.iterdir():
        (tmp_path / file.name).write_text(file.read_text())
    assert old in SUITE
    (tmp_path / "suite.yaml").write_text(SUITE.replace(old, new))
    with pytest.raises(InputError, match=message) as caught:
        read_suite(tmp_path)
    assert "suite.yaml" in str(caught.value)


def test_an_unknown_suite() -> None:
    with pytest.raises(InputError, match="no suite 'labb'; did you mean 'lab'"):
        load_suite("labb")


def test_a_model_without_a_template(
    tiny_model: Path, suite: Suite, benchmarks: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_model, tmp_path / "model")
    (tmp_path / "model" / "chat_template.jinja").unlink()
    with pytest.raises(InputError, match=r"model: the tokenizer has no chat template; dvc repro"):
        evaluate(tmp_path / "model", suite, benchmarks, heldout(), PARAMS, seed=0)


def test_the_longest_choice_is_that_of_the_most_tokens(
    tiny_model: Path, suite: Suite, tmp_path: Path
) -> None:
    """Forty bytes in twenty letters take more room than the longer text of known words."""
    tokenizer = load_tokenizer(tiny_model)
    choices = ["The capital of Zanu is Lubi.", "ÿ" * 20]
    few, many = (len(tokenizer(choice).input_ids) for choice in choices)
    assert len(choices[0]) > len(choices[1])
    assert few + 10 < many
    question = {"role": "user", "content": ""}
    while True:  # the last question with which the first choice just fits, and the second does not
        longer = question | {"content": question["content"] + " q"}
        text = render(tokenizer, [longer], add_generation_prompt=True)
        if len(tokenizer(text).input_ids) + few - 1 > 128:
            break
        question = longer
    item = {"id": "a", "skill": "s", "prompt": question["content"], "choices": choices, "target": 0}
    write_lines(tmp_path / "choice.jsonl", [item])
    write_lines(tmp_path / "choice_shots.jsonl", [item])
    lm = language_model(tiny_model, "cpu", 4, chat_template=True)
    prepared = prepare_column(lm, suite, suite.column("choice"), tmp_path, PARAMS)
    run_tasks(lm, [prepared], chat_template=True, seed=0)
    assert prepared.cut_items(lm) == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("fewshot_split: shots\n", "", "names no fewshot_split"),
        (
            "fewshot_split: shots",
            "fewshot_split: test",
            "names the test split as its fewshot_split",
        ),
    ],
)
@pytest.mark.parametrize("task", ["norm", "text"])  # shots: fit, and a number
def test_shots_without_a_split_of_their_own_are_refused_when_the_suite_is_read(
    suite: Suite, tmp_path: Path, task: str, old: str, new: str, message: str
) -> None:
    shutil.copytree(suite.folder, tmp_path / "suite")
    path = tmp_path / "suite" / f"{task}.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=message) as caught:
        read_suite(tmp_path / "suite")
    line = str(caught.value)
    assert f"column {task}: shots is " in line
    assert "an item's own answer could be among its examples" in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task: [", "line 2: not YAML: "),
        ("- text", "not a task; write `key: value` lines"),
        ("include: text.yaml", "included twice or by itself; take one include out"),
        ("include: nowhere.yaml", "text.yaml: includes nowhere.yaml, which is not a file"),
        ("include: bomb.yaml", r"bomb.yaml: its aliases \(\*\) stand for over 100,000 values"),
        ("process_results: !function nowhere.f", "cannot be read as a task: Cannot import module"),
    ],
)
def test_a_task_file_that_cannot_be_read(
    suite: Suite, tmp_path: Path, text: str, message: str
) -> None:
    """Whether the suite, the sandbox or lm-eval is the first to ask."""
    shutil.copytree(suite.folder, tmp_path / "suite")
    path = tmp_path / "suite/text.yaml"
    path.write_text(f"{text}\n")
    (tmp_path / "suite/bomb.yaml").write_text(MERGES)
    own = suite.model_copy(update={"folder": tmp_path / "suite"})
    tries = [lambda: runs_programs(own, own.column("text")), lambda: read_task(path)]
    for read in tries if "function" in text else [*tries, lambda: read_suite(own.folder)]:
        with pytest.raises(InputError, match=message) as caught:
            read()
        assert "\n" not in str(caught.value)


def test_a_task_may_include_its_split_of_examples(suite: Suite, tmp_path: Path) -> None:
    shutil.copytree(suite.folder, tmp_path / "suite")
    path = tmp_path / "suite/text.yaml"
    path.rename(path.with_name("base.yaml"))
    path.write_text("include: base.yaml\n")
    assert read_suite(tmp_path / "suite").column("text").shots == suite.column("text").shots
    assert read_task(path) == read_task(path.with_name("base.yaml"))
    path.write_text("include: base.yaml\nfewshot_split: test\n")
    with pytest.raises(InputError, match="names the test split as its fewshot_split"):
        read_suite(tmp_path / "suite")


@pytest.mark.parametrize("name", ["choice_shots.jsonl", "text_shots.jsonl"])
def test_an_example_that_is_an_item_is_refused(
    tiny_model: Path, suite: Suite, benchmarks: Path, tmp_path: Path, name: str
) -> None:
    """Another name of the file, another id: lm-eval leaves out neither."""
    shutil.copytree(benchmarks, tmp_path / "b")
    items = read_lines(benchmarks / name.replace("_shots", ""))
    shots = read_lines(benchmarks / name)
    write_lines(tmp_path / "b" / name, [*shots[:1], {**items[2], "id": "other"}, *shots[1:]])
    column = suite.column("norm" if name.startswith("choice") else "text")
    few = suite.model_copy(update={"columns": [column]})
    rule = f"{column.task}: few-shot example 2 is item 3 of the test split"
    if column.shots == 1:  # the first example alone is shown
        evaluate(tiny_model, few, tmp_path / "b", heldout(), PARAMS, seed=0)
        few = few.model_copy(update={"columns": [column.model_copy(update={"shots": 2})]})
    with pytest.raises(InputError, match=rule):
        evaluate(tiny_model, few, tmp_path / "b", heldout(), PARAMS, seed=0)


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
