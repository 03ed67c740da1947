"""A model's scores on a suite: lm-eval's tasks and bits per byte, with every item's own score."""

import time
from functools import cached_property, lru_cache
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.common.errors import InputError
from harness.common.schemas import SAMPLES, frame_of
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
    from transformers import PreTrainedTokenizerBase

_SAMPLE_COLUMNS = ["seed", "task", "item", "prediction", "score", "weight", "cluster"]


class Evaluation(NamedTuple):
    """The result of `evaluate`; the keys of the dicts but `seconds` are the suite's columns.

    scores: percent for benchmarks, bits for bits per byte; NotRun for a column whose programs could
    not run for lack of the sandbox, and for a mean over one. samples: seed, task (the column),
    item, prediction, score, weight; a column's score is the weighted mean of its items'. seconds:
    of `load`, `tasks` (read and fitted), `benchmarks`, `bits_per_byte`.
    """

    scores: dict[str, float | NotRun]
    n: dict[str, int]  # items
    samples: "pd.DataFrame"
    seconds: dict[str, float]
    shots: dict[str, int]  # examples before each question
    truncated: dict[str, int]  # items cut on the left to fit the model's context
    unisolated: str | None = None  # why the sandbox was missing when programs ran without it


def evaluate(
    model: Path,
    suite: Suite,
    benchmarks: Path,
    heldout: "pd.DataFrame",
    params: EvaluateParams,
    seed: int,
) -> Evaluation:
    """Evaluate a model on every column of a suite; greedily, unless a task samples.

    `benchmarks` is the folder of the tasks' JSONL files, `heldout` has the rows for bits per byte
    (HELDOUT). Without the sandbox, columns that run programs are neither generated nor run, unless
    `params.allow_unisolated`. InputError for a missing model, benchmark file or held-out source.
    """
    import pandas as pd
    import torch

    start = time.monotonic()
    device = pick_device(params.device)
    if device == "cpu" and params.threads:
        torch.set_num_threads(params.threads)
    with quiet():
        lm = _language_model(model, device, params.batch_size)
    result = Evaluation({}, {}, pd.DataFrame(), {"load": _since(start)}, {}, {})
    tasks = [column for column in suite.columns if column.kind == "lm_eval"]
    with quiet():
        programs = [column for column in tasks if runs_programs(suite, column)]
    missing = sandbox.missing_walls() if programs else ""
    not_run = [] if params.allow_unisolated or not missing else programs
    with sandbox.unisolated(params.allow_unisolated):
        tasks = [column for column in tasks if column not in not_run]
        frames = _benchmarks(lm, suite, tasks, benchmarks, params, seed, result)
    frames |= _held_out(lm, suite, heldout, params, result)
    _add_scores(suite, frames, NotRun(not_run=missing) if not_run else None, result)
    # In the order of the suite, whatever order they were computed in.
    wanted = [column.name for column in suite.columns if column.name in frames]
    samples = [frames[name].assign(seed=seed, task=name)[_SAMPLE_COLUMNS] for name in wanted]
    samples = samples or [frame_of(SAMPLES, [])[_SAMPLE_COLUMNS]]
    return result._replace(
        samples=pd.concat(samples, ignore_index=True),
        unisolated=(missing or None) if params.allow_unisolated else None,
    )


def _add_scores(
    suite: Suite, frames: "dict[str, pd.DataFrame]", not_run: NotRun | None, result: Evaluation
) -> None:
    """Score every column and count its items; one without, and a mean over one, is `not_run`."""
    for column in suite.columns:
        if column.name in frames:
            frame = frames[column.name]
            score = float((frame.score * frame.weight).sum() / frame.weight.sum())
            result.scores[column.name], result.n[column.name] = score, len(frame)
        elif column.kind != "mean":
            assert not_run is not None
            result.scores[column.name] = not_run
    for column in suite.columns:
        parts = [result.scores[name] for name in column.of or []]
        numbers = [part for part in parts if not isinstance(part, NotRun)]
        if column.of and len(numbers) < len(parts):
            assert not_run is not None
            result.scores[column.name] = not_run
        elif column.of:
            result.scores[column.name] = fmean(numbers)
            result.n[column.name] = sum(result.n[name] for name in column.of)


def _since(start: float) -> float:
    return round(time.monotonic() - start, 3)


def _language_model(model: Path, device: str, batch_size: int) -> "LanguageModel":
    """Our model wrapped for lm-eval."""
    import torch

    tokenizer = load_tokenizer(model)
    check_template(tokenizer)
    loaded: Any = load_model(model, dtype=torch.bfloat16 if device == "cuda" else torch.float32)
    made: Any = _chat_model()
    return made(pretrained=loaded.to(device), tokenizer=tokenizer, batch_size=batch_size)


@lru_cache(2**14)  # lm-eval asks for a prompt's ids for each of its choices and samples, twice
def _encoded(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    return encode(tokenizer, [text])[0]


def _chat_model() -> type:
    """lm-eval's HFLM, made to render, encode and stop as training does."""
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
            return list(_encoded(self.tokenizer, string))

        def tok_batch_encode(self, strings, padding_side="left", left_truncate_len=None, **_):  # noqa: ANN001, ANN003, ANN202
            rows, how = {"input_ids": encode(self.tokenizer, strings)}, {"return_tensors": "pt"}
            result = self.tokenizer.pad(rows, padding_side=padding_side, verbose=False, **how)
            kept = slice(-left_truncate_len if left_truncate_len else None, None)
            return result["input_ids"][:, kept], result["attention_mask"][:, kept]

        def _encode_pair(self, context: str, continuation: str):  # noqa: ANN202
            return super()._encode_pair(context, mark(self.tokenizer, continuation))

        def tok_decode(self, tokens: int | list[int], skip_special_tokens: bool = True) -> str:
            """An answer up to its end token; that token alone is not a text to stop at."""
            if isinstance(tokens, int):
                return ""
            end = next((i for i, token in enumerate(tokens) if token in self.stops), len(tokens))
            return super().tok_decode(tokens[:end], skip_special_tokens)

        def _model_generate(self, context, max_length, stop, **how):  # noqa: ANN001, ANN003, ANN202
            # By number: the text of an answer may contain the same characters.
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
    result: Evaluation,
) -> "dict[str, pd.DataFrame]":
    """The items of these lm-eval columns; adds shots, cut items and seconds to `result`."""
    if not columns:
        return {}
    start = time.monotonic()
    with quiet():
        tasks = []
        for column in columns:
            task, cut = prepare_task(lm, suite, column, benchmarks, params.limit)
            result.shots[column.name], result.truncated[column.name] = cut
            tasks.append(task)
        result.seconds["tasks"] = _since(start)
        start = time.monotonic()
        frames = run_tasks(lm, tasks, columns, seed)
    result.seconds["benchmarks"] = _since(start)
    return frames


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
    result.truncated.update({name: int(frame.cut.sum()) for name, frame in frames.items()})
    result.seconds["bits_per_byte"] = _since(start)
    return frames
