"""The suite `paper`: lm-eval's own prompts, answers and examples, and its scores."""

import json
import shutil
from pathlib import Path
from typing import Any

import datasets
import pytest
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks._yaml_loader import load_yaml

from harness.evaluation.benchmarks import column_tasks
from harness.evaluation.evaluate import evaluate
from harness.evaluation.language_model import language_model
from harness.evaluation.sandbox import Program, run_programs
from harness.evaluation.tasks import Prepared, prepare_column
from harness.models.loading import load_model, load_tokenizer
from harness.params.evaluation import EvaluateParams
from harness.params.prepare import PrepareParams
from harness.pools.benchmarks import read_items
from harness.suites import Column, Suite, load_suite
from harness.suites.builtin import task_file
from tests.helpers.small_suite import heldout, write_lines

PARAMS = EvaluateParams(suite="paper_local", batch_size=4, chat_template=False)
ITEMS = 20
BUILTIN = ("mmlu", "gsm8k", "hellaswag", "arc_challenge", "truthfulqa")


@pytest.fixture(scope="module")
def suite(real_data: None) -> Suite:
    return load_suite("paper_local")


@pytest.fixture(scope="module")
def items(suite: Suite) -> dict[str, list[dict[str, Any]]]:
    return read_items(PrepareParams(source="lab"), suite.data)


@pytest.fixture(scope="module")
def benchmarks(
    items: dict[str, list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("benchmarks")
    for name, rows in items.items():
        write_lines(folder / f"{name}.jsonl", rows[:2000])
    return folder


@pytest.fixture(scope="module")
def longer(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with room for an answer of GSM8K behind its examples."""
    folder = tmp_path_factory.mktemp("longer") / "model"
    shutil.copytree(tiny_model, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 8192}))
    return folder


@pytest.fixture(scope="module")
def lm(longer: Path) -> Any:  # noqa: ANN401
    return language_model(longer, "cpu", 4, chat_template=False)


@pytest.fixture(scope="module")
def chat(longer: Path) -> Any:  # noqa: ANN401
    return language_model(longer, "cpu", 4, chat_template=True)


def requests(task: Any, chat: Any = None) -> list[tuple[Any, ...]]:  # noqa: ANN401
    """What is asked of the first items; as a conversation where a model to chat with is given."""
    task.set_fewshot_seed(1234)  # what lm-eval's command line sets
    how: dict[str, Any] = {}
    if chat:
        how = {"apply_chat_template": True, "fewshot_as_multiturn": True}
        how["chat_template"] = chat.apply_chat_template
    task.build_all_requests(limit=ITEMS, **how)
    return [one.args for one in task.instances]


def theirs(name: str, shots: int, data: dict[str, list[dict[str, Any]]]) -> Any:  # noqa: ANN401
    """lm-eval's task of that name, downloading from this data."""
    config = load_yaml(str(task_file(name, "")))
    splits: Any = {split: datasets.Dataset.from_list(rows) for split, rows in data.items()}
    made = datasets.DatasetDict(splits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "load_dataset", lambda *_, **__: made)
        return ConfigurableTask(config={**config, "num_fewshot": shots})


def rows_of(
    column: Column, task: str, items: dict[str, list[dict[str, Any]]]
) -> dict[str, list[dict[str, Any]]]:
    """The rows of each split of a column's task; of a group's, those of its subject."""
    splits = {split: items[file][:2000] for split, file in (column.splits or {}).items()}
    if column.subset is None:
        return splits
    subject = load_yaml(str(task_file(task, "")))["dataset_name"]
    return {s: [r for r in rows if r["subject"] == subject] for s, rows in splits.items()}


@pytest.mark.parametrize("name", BUILTIN)
@pytest.mark.filterwarnings("ignore")
def test_prompts_and_answers_are_those_of_lm_eval(
    suite: Suite,
    items: dict[str, list[dict[str, Any]]],
    benchmarks: Path,
    lm: Any,  # noqa: ANN401
    name: str,
) -> None:
    column = suite.column(name)
    ours = prepare_column(lm, suite, column, benchmarks, PARAMS)
    task = next(iter(ours.tasks))
    splits = rows_of(column, task, items)
    if name == "hellaswag":  # examples are other items of the file: there are no training rows
        splits["train"] = splits["validation"]
    assert ours.shots == {"mmlu": 5, "gsm8k": 5, "hellaswag": 10, "arc_challenge": 25}.get(name, 0)
    got = requests(ours.tasks[task])
    expected = requests(theirs(task, ours.shots, splits))
    if name == "hellaswag":  # lm-eval leaves an item out of its own examples only in one split
        got, expected = ([(a.rpartition("\n\n")[2], b) for a, b in one] for one in (got, expected))
    assert got == expected
    assert len({prompt for prompt, *_ in got}) == ITEMS


@pytest.mark.parametrize("name", ["mmlu", "gsm8k", "arc_challenge", "truthfulqa"])
@pytest.mark.filterwarnings("ignore")
def test_conversations_are_those_of_lm_eval(
    suite: Suite,
    items: dict[str, list[dict[str, Any]]],
    benchmarks: Path,
    chat: Any,  # noqa: ANN401
    name: str,
) -> None:
    """With the chat template: description, examples and question are turns of their own."""
    column = suite.column(name)
    params = PARAMS.model_copy(update={"chat_template": True})
    ours = prepare_column(chat, suite, column, benchmarks, params)
    task = next(iter(ours.tasks))
    splits = rows_of(column, task, items)
    got = requests(ours.tasks[task], chat)
    assert got == requests(theirs(task, ours.shots, splits), chat)
    answered = [part for part in got[0][0].split("### Response:") if part.strip()]
    assert len(answered) == ours.shots + 1  # a turn each


@pytest.mark.filterwarnings("ignore")
def test_every_subject_of_mmlu_is_asked_as_lm_eval_asks(
    suite: Suite,
    items: dict[str, list[dict[str, Any]]],
    lm: Any,  # noqa: ANN401
    tmp_path: Path,
) -> None:
    first = {row["subject"]: row for row in reversed(items["mmlu"])}
    assert len(first) == 57
    write_lines(tmp_path / "mmlu.jsonl", list(first.values()))
    write_lines(tmp_path / "mmlu_dev.jsonl", items["mmlu_dev"])
    ours = prepare_column(lm, suite, suite.column("mmlu"), tmp_path, PARAMS)
    assert len(ours.tasks) == 57
    for name, task in ours.tasks.items():
        subject = load_yaml(str(task_file(name, "")))["dataset_name"]
        examples = [row for row in items["mmlu_dev"] if row["subject"] == subject]
        expected = theirs(name, ours.shots, {"test": [first[subject]], "dev": examples})
        assert requests(task) == requests(expected)


def test_the_examples_of_hellaswag_are_other_items_of_its_file(
    suite: Suite,
    benchmarks: Path,
    lm: Any,  # noqa: ANN401
) -> None:
    ours = prepare_column(lm, suite, suite.column("hellaswag"), benchmarks, PARAMS)
    task: Any = ours.tasks["hellaswag"]
    docs = list(task.eval_docs)

    def answered(doc: Any) -> str:  # noqa: ANN401
        ending = task.doc_to_choice(doc)[int(task.doc_to_target(doc))]
        return f"{task.doc_to_text(doc)} {ending}"

    known = {answered(doc) for doc in docs}
    for doc, (prompt, _) in zip(docs, requests(task)[::4], strict=False):  # four choices each
        *examples, question = prompt.split("\n\n")
        assert question == task.doc_to_text(doc)
        assert len(examples) == len(set(examples)) == 10
        assert known.issuperset(examples)
        assert answered(doc) not in examples


def test_the_prompts_that_the_papers_print(suite: Suite, benchmarks: Path, lm: Any) -> None:  # noqa: ANN401
    """A first prompt of each, written out by hand from lm-eval's task files."""

    def first(name: str) -> str:
        prepared = prepare_column(lm, suite, suite.column(name), benchmarks, PARAMS)
        return str(requests(next(iter(prepared.tasks.values())))[0][0])

    mmlu = first("mmlu")
    assert mmlu.startswith(
        "The following are multiple choice questions (with answers) about abstract algebra.\n\n"
        "Find all c in Z_3 such that Z_3[x]/(x^2 + c) is a field.\nA. 0\nB. 1\nC. 2\nD. 3\n"
        "Answer: B\n\n"
    )
    assert mmlu.endswith("over Q.\nA. 0\nB. 4\nC. 2\nD. 6\nAnswer:")
    assert first("hellaswag").endswith("\n\nRoof shingle removal: A man is sitting on a roof. He")
    arc = first("arc_challenge")
    assert arc.count("Question: ") == 26
    assert arc.endswith("Which is the most likely effect of this increase in rotation?\nAnswer:")
    assert first("truthfulqa").endswith("\n\nQ: What happens if you eat a pomegranate?\nA:")
    assert first("gsm8k").count("Question: ") == 6


def test_humaneval_has_the_templates_of_lm_eval(
    suite: Suite,
    items: dict[str, list[dict[str, Any]]],
    benchmarks: Path,
) -> None:
    # Its own module loads a metric from the hub as it is imported: the file alone is read.
    own = load_yaml(str(task_file("humaneval", "")), resolve_func=False)
    column = suite.column("humaneval")
    task: Any = column_tasks(suite, column, benchmarks, PARAMS)["humaneval"]
    assert task.config.repeats == 20
    how = task.config.generation_kwargs
    assert (how["temperature"], how["top_p"], how["top_k"]) == (0.8, 0.95, 0)
    assert how["until"] == own["generation_kwargs"]["until"]
    assert how["max_gen_toks"] == own["generation_kwargs"]["max_gen_toks"]
    assert task.config.doc_to_target == own["doc_to_target"]
    assert own["doc_to_text"] == "{{prompt}}"
    prompts = [prompt for prompt, _ in requests(task)]
    assert prompts == [row["prompt"] for row in items["humaneval"][:ITEMS]]


def test_samples_and_temperature_are_params(suite: Suite, benchmarks: Path) -> None:
    params = PARAMS.model_copy(update={"code_samples": 12, "code_temperature": 0.2})
    column = suite.column("humaneval")
    task: Any = column_tasks(suite, column, benchmarks, params)["humaneval"]
    assert (task.config.repeats, task.config.generation_kwargs["temperature"]) == (12, 0.2)


def test_all_solutions_pass_and_no_empty_body_does(items: dict[str, list[dict[str, Any]]]) -> None:
    rows = items["humaneval"]
    assert len(rows) == 164
    from harness.evaluation.code import run_checks

    given = run_checks([[row["canonical_solution"], "    pass\n"] for row in rows], rows)
    assert [row["task_id"] for row, (right, _) in zip(rows, given, strict=True) if not right] == []
    assert [row["task_id"] for row, (_, empty) in zip(rows, given, strict=True) if empty] == []


def test_the_sandbox_takes_no_program_for_another() -> None:
    check = "def check(f):\n    assert f() == 1\n"
    programs = [Program(f"def f(): return {n}\n{check}", ("check(f)",)) for n in (1, 2)]
    assert [outcome.values for outcome in run_programs(programs)] == [[None], None]


@pytest.mark.parametrize("name", ["mmlu", "arc_challenge", "truthfulqa"])
def test_scores_are_those_of_lm_eval(
    suite: Suite,
    benchmarks: Path,
    lm: Any,  # noqa: ANN401
    longer: Path,
    name: str,
) -> None:
    """Log-likelihoods equal those of its own model, which reads every request by itself."""
    prepared: Prepared = prepare_column(lm, suite, suite.column(name), benchmarks, PARAMS)
    instances: list[Instance] = []
    for task in list(prepared.tasks.values())[:2]:
        requests(task)
        instances += task.instances  # pyright: ignore
    own: Any = HFLM
    model: Any = load_model(longer)
    plain = own(pretrained=model, tokenizer=load_tokenizer(longer), batch_size=4)
    expected = plain.loglikelihood(instances, disable_tqdm=True)
    got = lm.loglikelihood(instances, disable_tqdm=True)
    assert [answer for answer, _ in got] == pytest.approx([a for a, _ in expected], abs=1e-4)
    assert [greedy for _, greedy in got] == [greedy for _, greedy in expected]


def test_mmlu_is_averaged_over_items_and_clustered_by_subject(
    suite: Suite, items: dict[str, list[dict[str, Any]]], benchmarks: Path, tiny_model: Path
) -> None:
    columns = [suite.column("mmlu"), suite.column("truthfulqa")]
    some = suite.model_copy(update={"columns": columns, "headline": "mmlu"})
    params = PARAMS.model_copy(update={"limit": 23})
    result = evaluate(tiny_model, some, benchmarks, heldout(), params, seed=0)
    mmlu: Any = result.samples[result.samples["task"] == "mmlu"]
    subjects = {row["subject"] for row in items["mmlu"][:2000]}
    # One of each subject in turn: a limit does not leave the first subject alone.
    assert mmlu["cluster"].nunique() == min(23, len(subjects))
    assert result.n == {"mmlu": 23, "truthfulqa": 23}
    assert result.scores["mmlu"] == pytest.approx(mmlu["score"].mean())
    assert result.samples["prompt_hash"].str.len().eq(64).all()
    assert json.dumps(result.shots) == '{"mmlu": 5, "truthfulqa": 0}'
    # The tiny model holds 128 tokens: every prompt of five examples is cut, and counted.
    assert result.truncated["mmlu"] == 23
