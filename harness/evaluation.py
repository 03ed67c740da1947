"""A model's scores on a suite: lm-eval's tasks and bits per byte, with every item's own score."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.bits_per_byte import bits_per_byte
from harness.errors import InputError
from harness.evaluation_params import EvaluateParams
from harness.evaluation_tasks import Cut, prepare_task, quiet, run_task
from harness.models import load_model, load_tokenizer, pick_device
from harness.suites import Column, Suite
from harness.template import ensure_template

if TYPE_CHECKING:
    import pandas as pd
    from lm_eval.models.huggingface import HFLM


class Evaluation(NamedTuple):
    """What `evaluate` found; the keys of the dicts are the suite's columns.

    scores: percent for benchmarks, bits for bits per byte. n: items. samples: seed, task (the
    column), item, prediction, score, weight; a column's score is the weighted mean of its items'.
    seconds: by column, and `load`. shots: examples shown before each question. truncated: items
    cut from the left to fit the model's context.
    """

    scores: dict[str, float]
    n: dict[str, int]
    samples: "pd.DataFrame"
    seconds: dict[str, float]
    shots: dict[str, int]
    truncated: dict[str, int]


def evaluate(
    model: Path | str,
    suite: Suite,
    benchmarks: Path,
    heldout: "pd.DataFrame",
    params: EvaluateParams,
    seed: int,
    *,
    template: str = "alpaca_short",
    revision: str | None = None,
) -> Evaluation:
    """Evaluate a model on every column of a suite; greedy but where a task asks for sampling.

    `benchmarks` holds the tasks' JSONL files, `heldout` the rows for bits per byte (HELDOUT).
    Raises InputError for a model, benchmark file or held-out source that is missing.
    """
    import pandas as pd
    import torch

    start = time.monotonic()
    device = pick_device(params.device)
    if device == "cpu" and params.threads:
        torch.set_num_threads(params.threads)
    with quiet():
        lm = _language_model(model, device, params.batch_size, template, revision)
    found = Evaluation({}, {}, pd.DataFrame(), {"load": _since(start)}, {}, {})
    held_out = _held_out(lm, suite, heldout, params, found.seconds)
    frames: list[pd.DataFrame] = []
    for column in suite.columns:
        if column.kind == "mean":
            continue
        if column.kind == "lm_eval":
            start = time.monotonic()
            frame, cut = _benchmark(lm, suite, column, benchmarks, params, seed)
            found.shots[column.name], found.truncated[column.name] = cut
            found.seconds[column.name] = _since(start)
        else:
            frame = held_out if not column.sources else held_out[held_out.source.isin(column.sources)]
            found.truncated[column.name] = int(frame.cut.sum())
        found.scores[column.name] = float((frame.score * frame.weight).sum() / frame.weight.sum())
        found.n[column.name] = len(frame)
        frames.append(frame.assign(seed=seed, task=column.name))
    for column in suite.columns:
        if column.of:
            found.scores[column.name] = sum(found.scores[name] for name in column.of) / len(column.of)
            found.n[column.name] = sum(found.n[name] for name in column.of)
    samples = pd.concat(frames, ignore_index=True)
    return found._replace(samples=samples[["seed", "task", "item", "prediction", "score", "weight"]])


def _since(start: float) -> float:
    return round(time.monotonic() - start, 3)


def _language_model(
    model: Path | str, device: str, batch_size: int, template: str, revision: str | None
) -> "HFLM":
    """lm-eval's model around ours: loaded once, safetensors only, template set."""
    import torch
    from lm_eval.models.huggingface import HFLM

    tokenizer = load_tokenizer(model, revision)
    ensure_template(tokenizer, template)
    loaded = load_model(model, revision, torch.bfloat16 if device == "cuda" else torch.float32)
    return HFLM(pretrained=loaded.to(device), tokenizer=tokenizer, batch_size=batch_size)  # pyright: ignore


def _benchmark(
    lm: "HFLM",
    suite: Suite,
    column: Column,
    benchmarks: Path,
    params: EvaluateParams,
    seed: int,
) -> "tuple[pd.DataFrame, Cut]":
    limits = [n for n in (column.items, params.limit) if n is not None]
    with quiet():
        task, cut = prepare_task(lm, suite, column, benchmarks, min(limits, default=None))
        return run_task(lm, task, column, seed, params.batch_size), cut


def _held_out(
    lm: "HFLM",
    suite: Suite,
    heldout: "pd.DataFrame",
    params: EvaluateParams,
    seconds: dict[str, float],
) -> "pd.DataFrame":
    """Bits per byte of the held-out rows that some column wants, each row computed once."""
    import pandas as pd

    columns = [column for column in suite.columns if column.kind == "bits_per_byte"]
    if not columns:
        return pd.DataFrame()
    start = time.monotonic()
    there = list(heldout.source.unique())
    for column in columns:
        missing = [source for source in column.sources or [] if source not in there]
        if missing or not there:
            named = ", ".join(missing) or "rows at all"
            has = ", ".join(sorted(there)) or "none"
            raise InputError(f"heldout.parquet: no {named} for column {column.name}; it has {has}")
    rows = heldout
    if all(column.sources for column in columns):
        rows = rows[rows.source.isin([name for column in columns for name in column.sources or []])]
    if params.limit:
        rows = rows.groupby("source", sort=False).head(params.limit)
    frame = bits_per_byte(lm.model, lm.tokenizer, rows, params.batch_size)  # pyright: ignore
    seconds["bits_per_byte"] = _since(start)
    return frame
