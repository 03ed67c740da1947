"""A model's scores on a suite: lm-eval's tasks and bits per byte, with every item's own score."""

import time
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from harness.common.errors import InputError
from harness.common.schemas import SAMPLES, VALIDATION, frame_of
from harness.evaluation import sandbox
from harness.evaluation.benchmarks import runs_programs
from harness.evaluation.bits_per_byte import bits_per_byte
from harness.evaluation.judging import Judge, judge_answers, unasked
from harness.evaluation.language_model import LanguageModel, language_model
from harness.evaluation.served import served
from harness.evaluation.tasks import Prepared, prepare_column, quiet, run_tasks
from harness.launching.launch import Launch, launched
from harness.launching.ranks import rank
from harness.models.loading import pick_device
from harness.params.evaluation import EvaluateParams
from harness.suites import Column, Suite
from harness.suites.metrics import JudgingCost, NotRun

if TYPE_CHECKING:
    import pandas as pd

_SAMPLE_COLUMNS = [
    "seed",
    "task",
    "item",
    "prompt_hash",
    "prediction",
    "score",
    "weight",
    "cluster",
]


class Evaluation(NamedTuple):
    """The result of `evaluate`; the keys of the dicts but `seconds` are the suite's columns.

    scores: percent for benchmarks, bits for bits per byte; NotRun for a column whose programs could
    not run for lack of the sandbox, one whose answers could not be judged, and a mean over one.
    samples: seed, task (the column), item, prompt_hash, prediction, score, weight, cluster; a
    column's score is the weighted mean of its items'. seconds: of `load`, `tasks` (read and
    fitted), `benchmarks`, `judge`, `bits_per_byte`.
    """

    scores: dict[str, float | NotRun]
    n: dict[str, int]  # items
    samples: "pd.DataFrame"
    seconds: dict[str, float]
    shots: dict[str, int]  # examples before each question
    truncated: dict[str, int]  # items cut on the left to fit the model's context
    judged: dict[str, JudgingCost]
    unisolated: str | None = None  # why the sandbox was missing when programs ran without it


def evaluate(
    model: Path,
    suite: Suite,
    benchmarks: Path,
    heldout: "pd.DataFrame",
    params: EvaluateParams,
    seed: int,
    judge: Judge | None = None,
    base: Path | None = None,
) -> Evaluation:
    """Evaluate a model on every column of a suite; greedily, unless a task samples.

    `benchmarks` is the folder of the tasks' JSONL files, `heldout` has the rows for bits per byte
    (HELDOUT), `base` is the model that an adapter was trained on. Without the sandbox, columns that
    run programs are neither generated nor run, unless `params.allow_unisolated`; so are those whose
    answers are judged without a `judge` that can be asked. InputError for a missing model,
    benchmark file or held-out source.
    """
    arguments = locals()  # of this call
    if params.processes > 1:
        how = Launch("evaluate", "ddp", params.processes, pick_device(params.device))
        return launched(_evaluate, arguments, how)
    return _evaluate(**arguments)


def _evaluate(
    model: Path,
    suite: Suite,
    benchmarks: Path,
    heldout: "pd.DataFrame",
    params: EvaluateParams,
    seed: int,
    judge: Judge | None,
    base: Path | None,
) -> Evaluation:
    """The same, in this process or in each of several."""
    import pandas as pd
    import torch

    start = time.monotonic()
    device = pick_device(params.device)
    if device == "cpu" and params.threads:
        torch.set_num_threads(params.threads)
    with quiet():
        lm = language_model(model, device, params.batch_size, params.chat_template, base)
    result = Evaluation({}, {}, pd.DataFrame(), {"load": _since(start)}, {}, {}, {})
    tasks = [column for column in suite.columns if column.kind in ("lm_eval", "judge")]
    with quiet():
        programs = [column.name for column in tasks if runs_programs(suite, column)]
    missing = sandbox.missing_walls() if programs else ""
    not_run = dict.fromkeys([] if params.allow_unisolated or not missing else programs, missing)
    not_run |= unasked(suite, judge)
    with sandbox.unisolated(params.allow_unisolated), served(lm, params, model):
        tasks = [column for column in tasks if column.name not in not_run]
        prepared, frames = _benchmarks(lm, suite, tasks, benchmarks, params, seed, result)
    frames |= _held_out(lm, suite, heldout, params, result)
    if rank():
        return result  # the first of several processes does the rest
    not_run |= _judge(prepared, frames, judge, result)
    _add_scores(suite, frames, not_run, result)
    # In the order of the suite, whatever order they were computed in.
    wanted = [column.name for column in suite.columns if column.name in frames]
    samples = [frames[name].assign(seed=seed, task=name)[_SAMPLE_COLUMNS] for name in wanted]
    samples = samples or [frame_of(SAMPLES, [])[_SAMPLE_COLUMNS]]
    return result._replace(
        samples=pd.concat(samples, ignore_index=True),
        unisolated=(missing or None) if params.allow_unisolated else None,
    )


def _add_scores(
    suite: Suite, frames: "dict[str, pd.DataFrame]", not_run: dict[str, str], result: Evaluation
) -> None:
    """Score every column and count its items; one in `not_run`, and a mean over one, is NotRun."""
    for column in suite.columns:
        if column.name in frames:
            frame = frames[column.name]
            score = float((frame.score * frame.weight).sum() / frame.weight.sum())
            result.scores[column.name], result.n[column.name] = score, len(frame)
        elif column.kind != "mean":
            result.scores[column.name] = NotRun(not_run=not_run[column.name])
    for column in suite.columns:
        parts = [result.scores[name] for name in column.of or []]
        numbers = [part for part in parts if not isinstance(part, NotRun)]
        if column.of and len(numbers) < len(parts):
            result.scores[column.name] = next(p for p in parts if isinstance(p, NotRun))
        elif column.of:
            result.scores[column.name] = fmean(numbers)
            result.n[column.name] = sum(result.n[name] for name in column.of)


def _since(start: float) -> float:
    return round(time.monotonic() - start, 3)


def _benchmarks(
    lm: "LanguageModel",
    suite: Suite,
    columns: list[Column],
    benchmarks: Path,
    params: EvaluateParams,
    seed: int,
    result: Evaluation,
) -> "tuple[list[Prepared], dict[str, pd.DataFrame]]":
    """The tasks and items of these columns; adds shots, cut items and seconds to `result`."""
    if not columns:
        return [], {}
    start = time.monotonic()
    with quiet():
        prepared = [prepare_column(lm, suite, column, benchmarks, params) for column in columns]
        result.seconds["tasks"] = _since(start)
        start = time.monotonic()
        frames = run_tasks(lm, prepared, params.chat_template, seed)
    for one in prepared:
        result.shots[one.column.name] = one.shots
        result.truncated[one.column.name] = one.cut_items(lm)
    result.seconds["benchmarks"] = _since(start)
    return prepared, frames


def _judge(
    prepared: list[Prepared],
    frames: "dict[str, pd.DataFrame]",
    judge: Judge | None,
    result: Evaluation,
) -> dict[str, str]:
    """Score in `frames` the answers to be judged; why columns were not, where the judge fails.

    Their frames are removed. A judge that fails is not asked again: it would keep us waiting.
    """
    start, failed = time.monotonic(), ""
    wanted = [one for one in prepared if one.column.kind == "judge"]
    for one in wanted:
        name = one.column.name
        answers = frames.pop(name)
        if judge is None or failed:
            continue
        try:
            frames[name], result.judged[name] = judge_answers(one, answers, judge)
        except InputError as error:
            failed = judge.reason(error)
    if wanted:
        result.seconds["judge"] = _since(start)
    return {one.column.name: failed for one in wanted if one.column.name not in frames}


def _held_out(
    lm: "LanguageModel",
    suite: Suite,
    heldout: "pd.DataFrame",
    params: EvaluateParams,
    result: Evaluation,
) -> "dict[str, pd.DataFrame]":
    """The rows of every bits-per-byte column; a row in several is computed once."""
    columns = [column for column in suite.columns if column.kind == "bits_per_byte"]
    if not columns:
        return {}
    start = time.monotonic()
    # Those that a recipe is chosen on stand in no table.
    there = [name for name in heldout.source.unique() if not name.startswith(VALIDATION)]
    sources = {column.name: column.sources or there for column in columns}
    for name, wanted in sources.items():
        missing = [source for source in wanted if source not in there]
        if missing or not wanted:
            has = ", ".join(there) or "none"
            raise InputError(
                f"heldout.parquet: no rows of {', '.join(missing) or 'any source'} for column "
                f"{name}; it has {has}"
            )
    rows = heldout[heldout.source.isin({name for wanted in sources.values() for name in wanted})]
    if params.limit:
        rows = rows.groupby("source", sort=False).head(params.limit)
    scored = bits_per_byte(lm.model, lm.tokenizer, rows, params.batch_size)  # pyright: ignore
    frames = {n: scored.loc[scored.source.isin(wanted)] for n, wanted in sources.items()}
    result.truncated.update({name: int(frame.cut.sum()) for name, frame in frames.items()})
    result.seconds["bits_per_byte"] = _since(start)
    return frames
