"""The page: one HTML file that needs no network, of one run, or of two side by side."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common import layout
from harness.common.errors import InputError, nearest
from harness.common.files import html_json, replacing
from harness.common.schemas import HELDOUT, SAMPLES, read_frame
from harness.params.params import Cell, Params
from harness.report.shared.runs import run_folder
from harness.suites import Suite, load_suite
from harness.suites.metrics import SeedMetrics, read_metrics
from harness.viewer.questions import Question, benchmark_questions, chat_of, heldout_questions

if TYPE_CHECKING:
    import pandas as pd

_HERE = Path(__file__).parent
_LEAST_SHARED = 200  # characters that prompts must share to be shown once


@dataclass(frozen=True)
class Run:
    """A model's samples and scores: a row of a table, and a seed."""

    name: str
    base: str  # of base_models
    samples: "pd.DataFrame"
    metrics: SeedMetrics


def find_run(params: Params, name: str, variable: str = "RUN") -> Run:
    """The run called ``<row>`` (its first seed) or ``<row>:<seed>``; InputError for any other.

    Messages call it by the variable in which it was named.
    """
    row, _, seed = name.partition(":")
    cells = [cell for cell in params.every_cell() if cell.name == row]
    if not cells:
        known = sorted({cell.name for cell in params.every_cell()})
        raise InputError(f"{variable}={name}: no row is called {row!r}{nearest(row, known)}")
    seeds: dict[str, Cell] = {}
    for cell in cells:
        seeds |= {str(one): cell for one in cell.seeds if str(one) not in seeds}
    wanted = seed or next(iter(seeds), "")
    if wanted not in seeds:
        raise InputError(f"{variable}={name}: {row} has no seed {seed!r}{nearest(seed, seeds)}")
    cell = seeds[wanted]
    file = run_folder(cell) / "metrics.json"
    if not file.is_file():
        raise InputError(f"{file}: no such file; run dvc repro {cell.stage('evaluate')}")
    metrics = read_metrics(file)
    if metrics.suite != params.evaluate.suite:
        rule = f"scores of suite {metrics.suite}, not of {params.evaluate.suite}"
        raise InputError(f"{file}: {rule}; run dvc repro {cell.stage('evaluate')}")
    if wanted not in metrics.seeds:
        rule = f"no scores of seed {wanted}"
        raise InputError(f"{file}: {rule}; run dvc repro {cell.stage('evaluate')}")
    samples = read_frame(file.with_name("samples.parquet"), SAMPLES)
    own = samples.loc[samples["seed"] == int(wanted)]
    return Run(f"{row}, seed {wanted}", cell.base, own, metrics.seeds[wanted])


def write_page(params: Params, runs: Sequence[Run], most: int | None, out: Path) -> None:
    """Write the page of one or two runs; of each benchmark at most so many items, drawn by seed."""
    page = page_html(page_data(params, load_suite(params.evaluate.suite), runs, most))
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as temporary:
        temporary.write_text(page, encoding="utf-8")


def page_html(data: Mapping[str, Any]) -> str:
    """The page that shows what `page_data` gives."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE), undefined=StrictUndefined, autoescape=True
    )
    page = environment.get_template("page.html.jinja")
    return page.render(runs=data["runs"], title=" and ".join(data["runs"]), data=html_json(data))


def page_data(
    params: Params, suite: Suite, runs: Sequence[Run], most: int | None
) -> dict[str, Any]:
    """What the page shows: runs, benchmarks with their shared beginnings, and items.

    InputError for runs of two base models, whose prompts may differ, and where no item is left.
    """
    if len(bases := {run.base for run in runs}) > 1:
        rule = f"trained from other base models ({', '.join(sorted(bases))}); make a page of each"
        raise InputError(f"VS: {' and '.join(run.name for run in runs)} are {rule}")
    chat = chat_of(layout.BASE_MODELS / runs[0].base)
    heldout: dict[str, Question] = {}
    made: list[dict[str, Any]] = []
    for column in suite.columns:
        own = [run.samples.loc[run.samples["task"] == column.name] for run in runs]
        if column.kind == "mean" or not all(len(frame) for frame in own):
            continue
        if column.kind == "bits_per_byte":
            heldout = heldout or heldout_questions(read_frame(layout.HELDOUT_FILE, HELDOUT), chat)
            asked = heldout
        else:
            shots = runs[0].metrics.shots.get(column.name, 0)
            asked = benchmark_questions(
                suite, column, layout.BENCHMARKS, params.evaluate, shots, chat
            )
        made.append(
            {
                "name": column.label,
                "kind": column.kind,
                "higher": column.higher_is_better,
                "cluster": column.cluster or "",
                "shots": [run.metrics.shots.get(column.name) for run in runs],
                "scores": [_score(run.metrics, column.name) for run in runs],
                **_items(column.name, own, asked, most),
            }
        )
    if not made:
        raise InputError("RUN: its samples have no item that the suite asks; evaluate it again")
    return {"runs": [run.name for run in runs], "suite": suite.title, "benchmarks": made}


def _score(metrics: SeedMetrics, column: str) -> float | None:
    value = metrics.scores.get(column)
    return value if isinstance(value, float) else None


def _beginning(prompts: Sequence[str]) -> str:
    """What all prompts begin with, up to a line's end; none where it is short."""
    if len(prompts) < 2:
        return ""
    # What the least and the greatest begin with, all between them do.
    pairs = zip(min(prompts), max(prompts), strict=False)
    same = len([0 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs)])
    end = prompts[0].rfind("\n", 0, same) + 1
    return prompts[0][:end] if end >= _LEAST_SHARED else ""


def _items(
    column: str,
    frames: "Sequence[pd.DataFrame]",
    asked: Mapping[str, Question],
    most: int | None,
) -> dict[str, Any]:
    """The items that every run has, what their prompts begin with, and how many there are.

    ``of`` is their number before any were drawn, ``alone`` that of items which not every run has,
    ``changed`` that of shown items whose prompt is no longer what the model was asked.
    """
    by_item = [{str(row["item"]): row for row in _records(frame)} for frame in frames]
    names = [name for name in by_item[0] if all(name in own for own in by_item)]
    of, alone = len(names), len(set().union(*by_item)) - len(names)
    if most is not None and len(names) > most:
        chosen = np.sort(np.random.default_rng(0).permutation(len(names))[:most])
        names = [names[i] for i in chosen]
    shown, changed = [], 0
    for name in names:
        rows = [own[name] for own in by_item]
        one = asked.get(name)
        hashes = {row["prompt_hash"] for row in rows if row["prompt_hash"] is not None}
        same = one is not None and hashes <= {one.prompt_hash}
        changed += not same
        question = one if same and one is not None else Question("", (), "", None)
        shown.append(
            {
                "item": name,
                "cluster": str(rows[0]["cluster"] or "").removeprefix(f"{column}:"),
                "prompt": question.prompt,
                "choices": list(question.choices),
                "right": question.right,
                "answers": [row["prediction"] for row in rows],
                "scores": [row["score"] for row in rows],
            }
        )
    head = _beginning([one["prompt"] for one in shown if one["prompt"]])
    for one in shown:
        one["prompt"] = one["prompt"].removeprefix(head)
    return {"head": head, "items": shown, "of": of, "alone": alone, "changed": changed}


def _records(frame: "pd.DataFrame") -> list[dict[Hashable, Any]]:
    """The rows of samples; a text that is missing, which a file gives as NaN, is None."""
    return frame.astype("object").where(frame.notna(), None).to_dict("records")
