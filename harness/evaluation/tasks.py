"""lm-eval tasks: read from a suite, fitted to the model's context, run, scored by item."""

import io
import json
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common.errors import InputError, shown
from harness.common.progress import PlainMeter, on_terminal
from harness.evaluation.code import run_answers
from harness.evaluation.shots import (
    Benchmark,
    Cut,
    LanguageModel,
    check_examples,
    count_cut,
    fit_shots,
)
from harness.suites import Column, Suite, read_task

if TYPE_CHECKING:
    import pandas as pd
    from datasets import DatasetDict


@contextmanager
def quiet() -> Iterator[None]:
    """Silence lm-eval's notices and, except on a terminal, its progress bars."""
    loggers = [logging.getLogger(name) for name in ("lm_eval", "transformers.generation")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with nullcontext() if on_terminal() else redirect_stderr(io.StringIO()):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def runs_programs(suite: Suite, column: Column) -> bool:
    """Whether a column's task runs programs that the model wrote.

    InputError where lm-eval's own flag says so, but an answer could bypass the sandbox.
    """
    path = suite.folder / str(column.task)
    config = read_task(path)
    filters = [one.get("filter") or [] for one in config.get("filter_list") or []]
    sandboxed = [any(step.get("filter_fn") is run_answers for step in steps) for steps in filters]
    if config.get("unsafe_code") and not (sandboxed and all(sandboxed)):
        raise InputError(
            f"{path}: unsafe_code is true, but not every filter runs the answers in the sandbox; "
            "give each filter_fn: !function harness.evaluation.code.run_answers"
        )
    return any(sandboxed)


def prepare_task(
    lm: "LanguageModel", suite: Suite, column: Column, benchmarks: Path, limit: int | None
) -> "tuple[Benchmark, Cut]":
    """The column's task over its first `limit` items, with the column's number of shots.

    InputError for a file that cannot be read, and for examples that are items.
    """
    from lm_eval.tasks import TaskManager

    assert column.task is not None
    limit = min((n for n in (column.items, limit) if n is not None), default=None)
    config = read_task(suite.folder / column.task)
    data = _read_splits(config, suite.folder / column.task, benchmarks, limit)
    # A dataset passed in needs no cache folder, and is never a stale copy of its file.
    config |= {"task": column.name, "custom_dataset": lambda **_: data, "num_fewshot": 0}
    task: Any = TaskManager(include_defaults=False).load([config])["tasks"][column.name]
    task.set_fewshot_seed(0)
    if column.shots:
        most = column.max_shots if column.shots == "fit" else column.shots
        check_examples(task, most, suite.folder / column.task)
    shots = column.shots if column.shots != "fit" else fit_shots(lm, task, column.max_shots)
    task.set_config("num_fewshot", shots)
    return task, Cut(shots, count_cut(lm, task, shots))


def run_tasks(
    lm: "LanguageModel",
    tasks: list[Benchmark],
    columns: list[Column],
    seed: int,
) -> "dict[str, pd.DataFrame]":
    """Run the tasks; a frame a column, a row an item; scores are percentages, each weight is 1.

    Their sampling is seeded. Not by `simple_evaluate`, which asks pip and git about the machine for
    a second and a half.
    """
    import lm_eval
    import torch
    from lm_eval.tasks import TaskManager

    if not on_terminal():
        lm.cache_hook = _Counter(PlainMeter("evaluate", sum(map(_requests, tasks))))
    for task in tasks:
        task.set_fewshot_seed(0)  # anew: counting cut items has drawn examples
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (what lm-eval's samplers draw from)
    torch.manual_seed(seed)
    listed: Any = tasks  # which the annotation of `load` does not foresee
    lm_evaluate: Any = lm_eval.evaluate  # a decorator hides its signature
    results = lm_evaluate(
        lm=lm,
        task_dict=TaskManager(include_defaults=False).load(listed),
        apply_chat_template=True,
        fewshot_as_multiturn=True,
        log_samples=True,
        bootstrap_iters=0,
        # `runs_programs` has refused tasks whose programs would run outside the sandbox.
        confirm_run_unsafe_code=any(getattr(task, "UNSAFE_CODE", False) for task in tasks),
    )
    pairs = zip(tasks, columns, strict=True)
    return {c.name: _items(task, c, results["samples"][c.name]) for task, c in pairs}


class _Counter:
    """Counts answered requests where bars are hidden: lm-eval calls its cache hook for each."""

    def __init__(self, meter: PlainMeter) -> None:
        self.meter = meter

    def add_partial(self, *_: object) -> None:
        """Count an answered request."""
        self.meter.step()


def _requests(task: Benchmark) -> int:
    """How many answers a task requests from the model."""
    if task.OUTPUT_TYPE == "multiple_choice":
        return sum(len(task.doc_to_choice(doc)) for doc in task.eval_docs)
    return len(task.eval_docs) * task.config.repeats


def _items(task: Benchmark, column: Column, samples: list[dict[str, Any]]) -> "pd.DataFrame":
    """The column's metric by item; InputError where the task has no such metric."""
    import pandas as pd

    metric, _, chosen = str(column.metric).partition(",")
    kept = [sample for sample in samples if sample["filter"] == chosen]
    if not kept or metric not in kept[0]["metrics"]:
        there = sorted({f"{name},{s['filter']}" for s in samples for name in s["metrics"]})
        raise InputError(f"{column.task}: no metric {column.metric!r}; it has {', '.join(there)}")
    return pd.DataFrame(
        {
            "item": str(sample["doc"].get("id", sample["doc_id"])),
            "prediction": _prediction(task, sample, metric),
            "score": 100.0 * float(sample[metric]),
            "weight": 1.0,
            "cluster": _cluster(column, sample["doc"]),
        }
        for sample in kept
    )


def _cluster(column: Column, item: dict[str, Any]) -> str | None:
    """What the item's field for it says; None where the column names no field."""
    if column.cluster is None:
        return None
    value = item.get(column.cluster)
    if not isinstance(value, str) or not value:
        where = f"column {column.name}: cluster {column.cluster}"
        raise InputError(f"{where}: an item has no such text, but {shown(repr(value))}")
    return f"{column.name}:{value}"


def _read_splits(
    config: dict[str, Any], path: Path, benchmarks: Path, limit: int | None
) -> "DatasetDict":
    """The task's splits, read from its JSONL files; InputError names file and line."""
    from datasets import Dataset, DatasetDict

    try:
        files: dict[str, str] = config["dataset_kwargs"]["data_files"]
        test = config["test_split"]
        files[test]
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{path}: needs dataset_kwargs.data_files and test_split ({error})"
        ) from error
    splits = DatasetDict()
    for split, name in files.items():
        rows = _read_jsonl(benchmarks / name)
        splits[split] = Dataset.from_list(rows[:limit] if split == test else rows)
    return splits


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


def _prediction(task: Benchmark, sample: dict[str, Any], metric: str) -> str:
    """The model's answer: the choice that lm-eval counts, else the (filtered) text."""
    answers = sample["filtered_resps"]
    if task.OUTPUT_TYPE != "multiple_choice":
        answer = answers[0]
        return answer if isinstance(answer, str) else json.dumps(answer)
    choices = task.doc_to_choice(sample["doc"])
    logs = [float(log) for log, _ in answers[: len(choices)]]
    if metric == "acc_norm":
        logs = [log / max(1, len(choice)) for log, choice in zip(logs, choices, strict=True)]
    return str(choices[logs.index(max(logs))])
