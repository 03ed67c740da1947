"""lm-eval tasks: fitted to the model's context, run, scored by item."""

import io
import json
import logging
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common.errors import InputError, shown
from harness.common.progress import PlainMeter, on_terminal
from harness.evaluation.benchmarks import FEWSHOT_SEED, Benchmark, column_tasks, task_place
from harness.evaluation.language_model import LanguageModel
from harness.evaluation.shots import check_examples, check_shots, fit_shots
from harness.launching.ranks import rank, world
from harness.params.evaluation import EvaluateParams
from harness.suites import Column, Suite

if TYPE_CHECKING:
    import pandas as pd

_EXAMPLES = ("training", "validation", "fewshot")  # splits that lm-eval takes examples from


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


@dataclass(frozen=True)
class Prepared:
    """A column's tasks, one or a group, and the examples before each of their questions."""

    column: Column
    tasks: dict[str, Benchmark]  # by name
    shots: int

    def cut_items(self, lm: LanguageModel) -> int:
        """How many of its items have been cut on the left to fit the model's context."""
        return sum(task in self.tasks for task, _ in lm.cut)


def prepare_column(
    lm: LanguageModel, suite: Suite, column: Column, benchmarks: Path, params: EvaluateParams
) -> Prepared:
    """The column's tasks over its first `params.limit` items, with the column's number of shots.

    InputError as for `column_tasks`, for too few examples, and for examples that are items.
    """
    tasks = column_tasks(suite, column, benchmarks, params)
    place = task_place(suite, column)
    most = column.shots if column.shots != "fit" else column.max_shots
    for task in tasks.values():
        _check_room(lm, task, place)
        if column.shots != "fit":
            check_shots(task, most, place)
        # Published examples are no items; where their file was left out, lm-eval takes the items.
        elsewhere = any(getattr(task.config, f"{name}_split") for name in _EXAMPLES)
        if most and not (column.builtin and elsewhere):
            check_examples(task, most, place)
    shots = most
    if column.shots == "fit":  # one number for the tasks of a group
        shots = min(fit_shots(lm, task, most, params.chat_template) for task in tasks.values())
    for task in tasks.values():
        task.set_config("num_fewshot", shots)
    return Prepared(column, tasks, shots)


def _check_room(lm: LanguageModel, task: Benchmark, name: str) -> None:
    """Raise InputError where an answer may be so long that no question fits before it."""
    if task.OUTPUT_TYPE != "generate_until":
        return
    most = task.config.generation_kwargs.get("max_gen_toks", lm.max_gen_toks)
    if not isinstance(most, int) or most < 1:
        raise InputError(f"{name}: max_gen_toks is {most!r}; it is a number from 1")
    if most >= lm.max_length:
        rule = f"max_gen_toks is {most}, the model's context {lm.max_length} tokens"
        raise InputError(f"{name}: {rule}; lower max_gen_toks in its generation_kwargs")


def run_tasks(
    lm: LanguageModel, prepared: Sequence[Prepared], chat_template: bool, seed: int
) -> "dict[str, pd.DataFrame]":
    """Run the tasks; a frame a column, a row an item; scores are percentages, each weight is 1.

    Their sampling is seeded. Not by `simple_evaluate`, which asks pip and git about the machine for
    a second and a half.
    """
    import lm_eval
    import pandas as pd
    import torch
    from lm_eval.tasks import TaskManager

    tasks = [task for one in prepared for task in one.tasks.values()]
    if not on_terminal():
        lm.cache_hook = _Counter(PlainMeter("evaluate", sum(map(_requests, tasks))))
    for task in tasks:
        task.set_fewshot_seed(FEWSHOT_SEED)  # anew: fitting the shots has drawn examples
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (what lm-eval's samplers draw from)
    # Other noise in each of several processes: they may hold answers to the same prompt.
    torch.manual_seed(seed + rank() * 2**32)
    listed: Any = tasks  # which the annotation of `load` does not foresee
    lm_evaluate: Any = lm_eval.evaluate  # a decorator hides its signature
    results = lm_evaluate(
        lm=lm,
        task_dict=TaskManager(include_defaults=False).load(listed),
        apply_chat_template=chat_template,
        fewshot_as_multiturn=chat_template,
        log_samples=True,
        bootstrap_iters=0,
        # `runs_programs` has refused tasks whose programs would run outside the sandbox.
        confirm_run_unsafe_code=any(getattr(task, "UNSAFE_CODE", False) for task in tasks),
    )
    frames = {}
    for one in prepared:
        parts = [_items(t, one.column, results["samples"][n]) for n, t in one.tasks.items()]
        frames[one.column.name] = pd.concat(parts, ignore_index=True)
    return frames


class _Counter:
    """Counts answered requests where bars are hidden: lm-eval calls its cache hook for each."""

    def __init__(self, meter: PlainMeter) -> None:
        self.meter = meter

    def add_partial(self, *_: object) -> None:
        """Count an answered request."""
        self.meter.step(world())


def _requests(task: Benchmark) -> int:
    """How many answers a task requests from the model."""
    if task.OUTPUT_TYPE == "multiple_choice":
        return sum(len(task.doc_to_choice(doc)) for doc in task.eval_docs)
    return len(task.eval_docs) * task.config.repeats


def _items(task: Benchmark, column: Column, samples: list[dict[str, Any]]) -> "pd.DataFrame":
    """The column's metric by item."""
    import pandas as pd

    metric, _, chosen = column.lm_metric.partition(",")
    kept = [sample for sample in samples if sample["filter"] == chosen]
    if metric not in kept[0]["metrics"]:  # pass@10 of fewer answers
        there = ", ".join(kept[0]["metrics"])
        few = metric.startswith("pass@")
        rule = f"no {metric}{' of so few answers' if few else ''}, only {there}"
        remedy = "raise evaluate.code_samples" if few else "name one of them"
        raise InputError(f"column {column.name}: {rule}; {remedy}")
    return pd.DataFrame(
        {
            "item": item_id(sample["doc"], sample["doc_id"]),
            "prompt_hash": sample["prompt_hash"],
            "prediction": _prediction(task, sample, metric),
            "score": 100.0 * float(sample[metric]),
            "weight": 1.0,
            "cluster": _cluster(column, sample["doc"]),
        }
        for sample in kept
    )


def item_id(item: dict[str, Any], place: int) -> str:
    """What samples call an item: its id, else its place."""
    return str(item.get("id", place))


def _cluster(column: Column, item: dict[str, Any]) -> str | None:
    """What the item's field for it says; None where the column names no field."""
    if column.cluster is None:
        return None
    value = item.get(column.cluster)
    if not isinstance(value, str) or not value:
        where = f"column {column.name}: cluster {column.cluster}"
        raise InputError(f"{where}: an item has no such text, but {shown(repr(value))}")
    return f"{column.name}:{value}"


def _prediction(task: Benchmark, sample: dict[str, Any], metric: str) -> str:
    """The model's answer: the choice that lm-eval counts, else the (filtered) text."""
    answers = sample["filtered_resps"]
    if task.OUTPUT_TYPE != "multiple_choice":
        answer = answers[0]
        if isinstance(answer, str):
            return answer
        # Verdicts of programs, each with the answer it is of.
        pairs = zip(sample["resps"][0], answer, strict=True)
        return json.dumps([{"answer": text, "passes": passes} for text, passes in pairs])
    choices = task.doc_to_choice(sample["doc"])
    logs = [float(log) for log, _ in answers[: len(choices)]]
    if metric == "acc_norm":
        logs = [log / max(1, len(choice)) for log, choice in zip(logs, choices, strict=True)]
    return str(choices[logs.index(max(logs))])
