"""lm-eval's tasks over the items of a suite's columns, read and checked."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from harness.common.errors import InputError, nearest, one_line, shown
from harness.evaluation.code import run_answers, run_checks
from harness.params.evaluation import EvaluateParams
from harness.suites import Column, Suite, read_task
from harness.suites.builtin import builtin_tasks
from harness.suites.items import Item

if TYPE_CHECKING:
    from datasets import DatasetDict

FEWSHOT_SEED = 1234  # lm-eval's own: its samplers draw the same examples
# Where a task is silent, what transformers does; else a model's own defaults decide, or a server's.
SAMPLING = {"top_k": 50, "top_p": 1.0}
_SANDBOXED = (run_answers, run_checks)
_SPLITS = ("training_split", "validation_split", "test_split", "fewshot_split")


Doc = dict[str, Any]  # an item as the task reads it


class Benchmark(Protocol):
    """What we use of lm-eval's ConfigurableTask, whose own types say too little."""

    OUTPUT_TYPE: str
    eval_docs: Sequence[Doc]
    config: Any
    fewshot_cfg: Any
    doc_to_text: Callable[[Doc], object]
    doc_to_target: Callable[[Doc], object]  # the answer, or which choice it is
    doc_to_choice: Callable[[Doc], list[str]]
    fewshot_docs: Callable[[], Sequence[Doc] | None]  # the examples, in order
    fewshot_context: Callable[..., str]  # the prompt of an item, examples included
    set_config: Callable[[str, object], None]
    set_fewshot_seed: Callable[[int], None]


def runs_programs(suite: Suite, column: Column) -> bool:
    """Whether a column's task runs programs that the model wrote.

    InputError where lm-eval's own flag says so, but an answer could bypass the sandbox.
    """
    sandboxed = False
    for config in _definitions(suite, column):
        filters = [one.get("filter") or [] for one in config.get("filter_list") or []]
        safe = [any(step.get("filter_fn") in _SANDBOXED for step in steps) for steps in filters]
        if config.get("unsafe_code") and not (safe and all(safe)):
            raise InputError(
                f"{task_place(suite, column)}: unsafe_code is true, but not every filter runs the "
                "answers in the sandbox; give each filter_fn: !function "
                "harness.evaluation.code.run_answers"
            )
        sandboxed = sandboxed or any(safe)
    return sandboxed


def column_tasks(
    suite: Suite, column: Column, benchmarks: Path, params: EvaluateParams
) -> dict[str, Benchmark]:
    """The column's tasks by name, one or a group, over its first `params.limit` items.

    Without examples yet. InputError for a file that cannot be read, a metric that the task does not
    have, an item of no task of a group, and a label that is no choice.
    """
    limit = min((n for n in (column.items, params.limit) if n is not None), default=None)
    tasks = {}
    for config, data in _with_data(suite, column, benchmarks, limit):
        task = _task(config, data, params)
        _check_metric(task, column, task_place(suite, column))
        _check_labels(task, task_place(suite, column))
        tasks[str(config["task"])] = task
    return tasks


def task_place(suite: Suite, column: Column) -> str:
    """What messages call a column's task."""
    return str(suite.folder / column.task) if column.task else f"column {column.name}"


@cache
def _builtin(name: str, where: str) -> list[dict[str, Any]]:
    return builtin_tasks(name, where)


def _definitions(suite: Suite, column: Column) -> list[dict[str, Any]]:
    """The definitions of the column's tasks, as lm-eval reads them."""
    if column.builtin is not None:
        return _builtin(column.builtin, task_place(suite, column))
    return [read_task(suite.folder / str(column.task)) | {"task": column.name}]


def _with_data(
    suite: Suite, column: Column, benchmarks: Path, limit: int | None
) -> "Iterator[tuple[dict[str, Any], DatasetDict]]":
    """Each of the column's definitions with the splits it reads, its items cut to the limit."""
    definitions = _definitions(suite, column)
    if column.splits is None:
        (config,) = definitions
        splits, asked = _own_splits(config, suite.folder / str(column.task))
    else:
        config, splits = definitions[0], column.splits
        asked = str(config.get("test_split") or config.get("validation_split"))
        if asked not in splits:
            rule = f"splits has no {asked}, whose items {column.builtin} asks"
            raise InputError(f"{task_place(suite, column)}: {rule}; give it, beside {list(splits)}")
        if column.subset is None and len(definitions) > 1:
            rule = f"{column.builtin} is a group: `subset` names the field with an item's task"
            raise InputError(f"{task_place(suite, column)}: {rule}; add it")
    rows = {split: _read_jsonl(benchmarks / f"{name}.jsonl") for split, name in splits.items()}
    if column.builtin is None and "process_docs" not in config:
        _check_fields(config, rows[asked], task_place(suite, column))
    if column.subset is not None:
        _check_subsets(rows, column.subset, [one["dataset_name"] for one in definitions], column)
    if column.subset is None:
        rows[asked] = rows[asked][:limit]
        parts = [rows]
    else:
        rows[asked] = _first_of_each(rows[asked], column.subset, limit)
        parts = [
            {
                split: [r for r in own if r.get(column.subset) == one["dataset_name"]]
                for split, own in rows.items()
            }
            for one in definitions
        ]
    for one, part in zip(definitions, parts, strict=True):
        if part[asked]:
            gone = {key: None for key in _SPLITS if one.get(key) not in (None, *part)}
            yield one | gone, _dataset(part, task_place(suite, column))


def _check_subsets(
    rows: dict[str, list[Item]], field: str, known: list[str], column: Column
) -> None:
    """Raise InputError for a row that belongs to no task of the group: it would not be asked."""
    for split, own in rows.items():
        for number, row in enumerate(own, 1):
            if row.get(field) not in known:
                rule = f"{field} is {row.get(field)!r}{nearest(row.get(field), known)}"
                raise InputError(f"column {column.name}: {split}, row {number}: {rule}")


def _first_of_each(rows: list[Item], field: str, limit: int | None) -> list[Item]:
    """The first so many rows, taken in turn from those of each value of the field."""
    if limit is None:
        return rows
    seen: Counter[object] = Counter()
    turns = []
    for row in rows:
        turns.append(seen[row.get(field)])
        seen[row.get(field)] += 1
    first = sorted(range(len(rows)), key=lambda i: turns[i])[:limit]
    return [rows[i] for i in sorted(first)]


def _dataset(rows: dict[str, list[Item]], where: str) -> "DatasetDict":
    """The splits as lm-eval reads them; InputError for a field of several types."""
    from datasets import Dataset, DatasetDict
    from pyarrow import ArrowException

    try:
        return DatasetDict({split: Dataset.from_list(own) for split, own in rows.items()})
    except (ArrowException, OverflowError) as error:
        rule = "give each field values of one type in all items"
        raise InputError(f"{where}: {one_line(error)}; {rule}") from None


def _task(config: dict[str, Any], data: "DatasetDict", params: EvaluateParams) -> Benchmark:
    """The task over that data, without examples yet."""
    from lm_eval.tasks import TaskManager

    # A dataset passed in needs no cache folder, and is never a stale copy of its file.
    config = config | {"custom_dataset": lambda **_: data, "num_fewshot": 0}
    config.pop("dataset_name", None)
    config.pop("tag", None)
    how = config.get("generation_kwargs") or {}
    if config.get("unsafe_code"):
        if params.code_samples is not None:
            config["repeats"] = params.code_samples
        if params.code_temperature is not None:
            how = how | {"do_sample": True, "temperature": params.code_temperature}
    if how:
        config["generation_kwargs"] = SAMPLING | how if how.get("do_sample") else how
    try:
        made: Any = TaskManager(include_defaults=False).load([config])["tasks"][config["task"]]
    except Exception as error:  # of whatever it holds
        reason = one_line(error) or type(error).__name__
        raise InputError(f"task {config['task']}: lm-eval cannot read it: {reason}") from error
    made.set_fewshot_seed(FEWSHOT_SEED)
    return made


def _check_metric(task: Benchmark, column: Column, where: str) -> None:
    if column.kind == "judge":
        return
    names = [str(one["metric"]) for one in task.config.metric_list or []]
    filters = [one["name"] for one in task.config.filter_list or [{"name": "none"}]]
    there = [f"{name},{chosen}" for name in names for chosen in filters]
    if column.metric not in there:
        raise InputError(f"{where}: no metric {column.metric!r}{nearest(column.metric, there)}")


def _check_labels(task: Benchmark, where: str) -> None:
    """Raise InputError for an item whose answer is none of its choices: it could never be right."""
    if task.OUTPUT_TYPE != "multiple_choice":
        return
    for number, doc in enumerate(task.eval_docs, 1):
        try:
            choices, target = task.doc_to_choice(doc), task.doc_to_target(doc)
        except Exception as error:  # of a task's template or function, which may fail in any way
            rule = one_line(error) or type(error).__name__
        else:
            rule = _label_problem(choices, target)
        if rule:
            raise InputError(f"{where}, item {number}: {rule}; correct the item or leave it out")


def _label_problem(choices: object, target: object) -> str:
    """What is wrong with an item's choices or its answer, a place, a text or a list of those."""
    if not isinstance(choices, list) or not choices:
        return f"its choices are {shown(repr(choices))}; needed: a list of texts"
    if not all(isinstance(choice, str) and choice.strip() for choice in choices):
        return f"one of its choices is blank or no text: {shown(repr(choices))}"
    for one in target if isinstance(target, list) else [target]:
        if isinstance(one, int) and not isinstance(one, bool):
            inside = 0 <= one < len(choices)
        else:
            inside = one in choices
        if not inside:
            return f"the answer is {shown(repr(one))}, of {len(choices)} choices (from 0)"
    return ""


def _check_fields(config: dict[str, Any], rows: Sequence[Item], where: str) -> None:
    """Raise InputError where a task file names a field that no item has, or one that is no text.

    lm-eval would take the name itself for the text of every item.
    """
    fields = sorted(set().union(*rows))
    for key in ("doc_to_text", "doc_to_target", "doc_to_choice"):
        name = config.get(key)
        if not isinstance(name, str) or not name.isidentifier():
            continue
        if name not in fields:
            rule = f"{key} names {name!r}, which no item has{nearest(name, fields)}"
            raise InputError(f"{where}: {rule}")
        for number, row in enumerate(rows, 1):
            given = row.get(name)
            if given is None or (key == "doc_to_text" and not isinstance(given, str)):
                rule = f"{name} is {shown(repr(given))}; the task's {key} reads it"
                raise InputError(f"{where}, item {number}: {rule}; correct the item")


def _own_splits(config: dict[str, Any], path: Path) -> tuple[dict[str, str], str]:
    """The file of each split that a task file names, without its ending, and the items' split."""
    try:
        files: dict[str, str] = config["dataset_kwargs"]["data_files"]
        test = config["test_split"]
        if not all(isinstance(name, str) for name in (files[test], *files.values())):
            raise TypeError("data_files: a file's name a split")
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{path}: needs dataset_kwargs.data_files and test_split ({error})"
        ) from error
    return {split: name.removesuffix(".jsonl") for split, name in files.items()}, test


def _read_jsonl(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise InputError(f"{path}: benchmark file missing; run stage prepare again")
    rows = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError(f"{path}, line {number}: not JSON: {error}") from error
            if not isinstance(row, dict):
                raise InputError(f"{path}, line {number}: not a JSON object")
            rows.append(row)
    if not rows:
        raise InputError(f"{path}: no items; run stage prepare again")
    return rows
