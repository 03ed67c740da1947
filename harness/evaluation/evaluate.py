"""A model's scores on a suite: lm-eval's tasks and bits per byte, with every item's own score."""

import time
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.common.errors import InputError
from harness.common.schemas import SAMPLES
from harness.evaluation import sandbox
from harness.evaluation.bits_per_byte import bits_per_byte
from harness.evaluation.shots import LanguageModel
from harness.evaluation.tasks import prepare_task, quiet, run_tasks, runs_programs
from harness.models.loading import load_model, load_tokenizer, pick_device
from harness.models.template import (
    Messages,
    check_template,
    encode,
    end_of_turn,
    mark,
    render,
    stop_tokens,
)
from harness.params.evaluation import EvaluateParams
from harness.suites import Column, Suite
from harness.suites.metrics import NotRun

if TYPE_CHECKING:
    import pandas as pd

_SAMPLE_COLUMNS = ["seed", "task", "item", "prediction", "score", "weight"]


class Evaluation(NamedTuple):
    """What `evaluate` found; the keys of the dicts are the suite's columns.

    scores: percent for benchmarks, bits for bits per byte; NotRun for a column whose programs a
    missing wall of the sandbox kept from running, and for a mean over one. n: items. samples: seed,
    task (the column), item, prediction, score, weight; a column's score is the weighted mean of its
    items'. seconds: of `load`, `tasks` (read and fitted), `benchmarks`, `bits_per_byte`. shots:
    examples shown before each question. truncated: items cut from the left to fit the model's
    context. unisolated: the walls that were missing where programs ran all the same.
    """

    scores: dict[str, float | NotRun]
    n: dict[str, int]
    samples: "pd.DataFrame"
    seconds: dict[str, float]
    shots: dict[str, int]
    truncated: dict[str, int]
    unisolated: str | None = None


def evaluate(
    model: Path,
    suite: Suite,
    benchmarks: Path,
    heldout: "pd.DataFrame",
    params: EvaluateParams,
    seed: int,
) -> Evaluation:
    """Evaluate a model on every column of a suite; greedy but where a task asks for sampling.

    `benchmarks` holds the tasks' JSONL files, `heldout` the rows for bits per byte (HELDOUT).
    Where a wall of the sandbox is missing, columns that run programs are neither generated nor run,
    unless `params.allow_unisolated`. Raises InputError for a model, benchmark file or held-out
    source that is missing.
    """
    import pandas as pd
    import torch

    start = time.monotonic()
    device = pick_device(params.device)
    if device == "cpu" and params.threads:
        torch.set_num_threads(params.threads)
    with quiet():
        lm = _language_model(model, device, params.batch_size)
    found = Evaluation({}, {}, pd.DataFrame(), {"load": _since(start)}, {}, {})
    with quiet():
        programs = [
            c.name for c in suite.columns if c.kind == "lm_eval" and runs_programs(suite, c)
        ]
    missing = sandbox.missing_walls() if programs else ""
    not_run = [] if params.allow_unisolated or not missing else programs
    with sandbox.unisolated(params.allow_unisolated):
        tasks = [c for c in suite.columns if c.kind == "lm_eval" and c.name not in not_run]
        frames = _benchmarks(lm, suite, tasks, benchmarks, params, seed, found)
    frames |= _held_out(lm, suite, heldout, params, found)
    _add_scores(suite, frames, NotRun(not_run=missing) if not_run else None, found)
    # In the order of the suite, whatever order they were computed in.
    wanted = [column.name for column in suite.columns if column.name in frames]
    samples = [frames[name].assign(seed=seed, task=name)[_SAMPLE_COLUMNS] for name in wanted]
    if not samples:
        samples = [
            pd.DataFrame({n: pd.Series(dtype=dict(SAMPLES.columns)[n]) for n in _SAMPLE_COLUMNS})
        ]
    return found._replace(
        samples=pd.concat(samples, ignore_index=True),
        unisolated=(missing or None) if params.allow_unisolated else None,
    )


def _add_scores(
    suite: Suite, frames: "dict[str, pd.DataFrame]", not_run: NotRun | None, found: Evaluation
) -> None:
    """Score and count every column; one without items, and a mean over one, is `not_run`."""
    for column in suite.columns:
        if column.name in frames:
            frame = frames[column.name]
            score = float((frame.score * frame.weight).sum() / frame.weight.sum())
            found.scores[column.name], found.n[column.name] = score, len(frame)
        elif column.kind != "mean":
            assert not_run is not None
            found.scores[column.name] = not_run
    for column in suite.columns:
        parts = [found.scores[name] for name in column.of or []]
        numbers = [part for part in parts if not isinstance(part, NotRun)]
        if column.of and len(numbers) < len(parts):
            assert not_run is not None
            found.scores[column.name] = not_run
        elif column.of:
            found.scores[column.name] = fmean(numbers)
            found.n[column.name] = sum(found.n[name] for name in column.of)


def _since(start: float) -> float:
    return round(time.monotonic() - start, 3)


def _language_model(model: Path, device: str, batch_size: int) -> "LanguageModel":
    """lm-eval's model around ours: loaded once, safetensors only."""
    import torch

    tokenizer = load_tokenizer(model)
    check_template(tokenizer)
    loaded: Any = load_model(model, dtype=torch.bfloat16 if device == "cuda" else torch.float32)
    made: Any = _chat_model()
    return made(pretrained=loaded.to(device), tokenizer=tokenizer, batch_size=batch_size)


def _chat_model() -> type:
    """lm-eval's HFLM, which renders, encodes and stops as training does."""
    from lm_eval.models.huggingface import HFLM

    base: Any = HFLM  # its registration hides its type

    class ChatModel(base):
        @property
        def eot_token_id(self) -> int:
            return end_of_turn(self.tokenizer)

        @cached_property
        def stops(self) -> list[int]:
            return stop_tokens(self.model, self.tokenizer)

        def apply_chat_template(self, chat_history: Messages, add_generation_prompt: bool = True):  # noqa: ANN202
            how = {"add_generation_prompt": add_generation_prompt}
            more = {"continue_final_message": not add_generation_prompt}
            return render(self.tokenizer, chat_history, **how, **more)

        def tok_encode(self, string: str, *_: object, **__: object) -> list[int]:
            return encode(self.tokenizer, [string])[0]

        def tok_batch_encode(self, strings, padding_side="left", left_truncate_len=None, **_):  # noqa: ANN001, ANN003, ANN202
            rows, how = {"input_ids": encode(self.tokenizer, strings)}, {"return_tensors": "pt"}
            found = self.tokenizer.pad(rows, padding_side=padding_side, verbose=False, **how)
            kept = slice(-left_truncate_len if left_truncate_len else None, None)
            return found["input_ids"][:, kept], found["attention_mask"][:, kept]

        def _encode_pair(self, context: str, continuation: str):  # noqa: ANN202
            return super()._encode_pair(context, mark(self.tokenizer, continuation))

        def tok_decode(self, tokens: int | list[int], skip_special_tokens: bool = True) -> str:
            """An answer up to the token that ends it; by itself that is no text to look for."""
            if isinstance(tokens, int):
                return ""
            end = next((i for i, token in enumerate(tokens) if token in self.stops), len(tokens))
            return super().tok_decode(tokens[:end], skip_special_tokens)

        def _model_generate(self, context, max_length, stop, **how):  # noqa: ANN001, ANN003, ANN202
            # By its number: an answer may have the same signs in its text.
            how["eos_token_id"] = self.stops
            return super()._model_generate(context, max_length, [t for t in stop if t], **how)

    return ChatModel


def _benchmarks(
    lm: "LanguageModel",
    suite: Suite,
    columns: list[Column],
    benchmarks: Path,
    params: EvaluateParams,
    seed: int,
    found: Evaluation,
) -> "dict[str, pd.DataFrame]":
    """The items of the lm-eval columns given; notes shots, cut items and seconds in `found`."""
    if not columns:
        return {}
    start = time.monotonic()
    with quiet():
        tasks = []
        for column in columns:
            task, cut = prepare_task(lm, suite, column, benchmarks, params.limit)
            found.shots[column.name], found.truncated[column.name] = cut
            tasks.append(task)
        found.seconds["tasks"] = _since(start)
        start = time.monotonic()
        frames = run_tasks(lm, tasks, columns, seed, params.batch_size)
    found.seconds["benchmarks"] = _since(start)
    return frames


def _held_out(
    lm: "LanguageModel",
    suite: Suite,
    heldout: "pd.DataFrame",
    params: EvaluateParams,
    found: Evaluation,
) -> "dict[str, pd.DataFrame]":
    """The rows of every bits-per-byte column, each row computed once whichever want it."""
    columns = [column for column in suite.columns if column.kind == "bits_per_byte"]
    if not columns:
        return {}
    start = time.monotonic()
    there = list(heldout.source.unique())
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
    found.truncated.update({name: int(frame.cut.sum()) for name, frame in frames.items()})
    found.seconds["bits_per_byte"] = _since(start)
    return frames
