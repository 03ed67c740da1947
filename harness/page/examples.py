"""A few items of each benchmark with the answers of several models, side by side."""

import json
from collections import Counter
from math import isnan, nan
from statistics import mean
from typing import Any

from harness.params.params import MAIN, Params
from harness.report.shared.comparable import comparable, with_means
from harness.report.shared.runs import run_folder
from harness.suites import load_suite
from harness.suites.metrics import read_metrics
from harness.viewer.page import find_run, page_data

MOST_PROGRAMS = 4  # different ones of an answer
OF_A_BENCHMARK = 2  # items, drawn by seed


def examples(params: Params) -> dict[str, Any] | None:
    """What the viewer shows of the first seeds of a few rows; None where it may not be shown.

    The rows are `none`, the first baseline, the best selection of the main table by the headline,
    and `full`, if they are in the table.
    """
    names = shown_rows(params)
    if not params.report.texts or not names:
        return None
    runs = [find_run(params, name) for name in names]
    made = page_data(params, load_suite(params.evaluate.suite), runs, OF_A_BENCHMARK)
    # Columns of held-out responses share their items: the first one's are shown.
    heldout = [one for one in made["benchmarks"] if one["kind"] == "bits_per_byte"]
    made["benchmarks"] = [one for one in made["benchmarks"] if one not in heldout[1:]]
    return made


def texts_of(answer: str | None) -> list[tuple[str, str]]:
    """An answer's texts, each with what is said of it: programs pass or fail, so many alike."""
    if not answer:
        return []
    try:
        programs = Counter((one["answer"], one["passes"]) for one in json.loads(answer))
    except (ValueError, TypeError, KeyError):  # a text, not a list of programs
        programs = Counter()
    if not (whole := programs.total()):
        return [("", answer)]
    shown = [
        (f"{'passes' if passes else 'fails'} ({count} of {whole})", text)
        for (text, passes), count in programs.most_common(MOST_PROGRAMS)
    ]
    left = len(programs) - len(shown)
    return [*shown, (f"and {left} more", "")] if left else shown


def shown_rows(params: Params) -> list[str]:
    """The rows of the main table whose answers are shown, in the table's order.

    Only rows whose first cell was evaluated, by this suite.
    """
    measured: dict[str, list[dict[str, float]]] = {}
    absent: set[str] = set()
    for cell in params.cells(MAIN):
        file = run_folder(cell) / "metrics.json"
        metrics = read_metrics(file) if file.is_file() else None
        if metrics is not None and metrics.suite == params.evaluate.suite:
            each = [one.measured for one in metrics.seeds.values()]
            measured.setdefault(cell.name, []).extend(each)
        elif cell.name not in measured:
            absent.add(cell.name)
    runs = [one for each in measured.values() for one in each]
    suite = comparable(load_suite(params.evaluate.suite), runs)
    head = suite.column(suite.headline)
    sign = 1 if head.higher_is_better else -1
    scores = {
        name: [with_means(suite, one).get(head.name, nan) for one in each]
        for name, each in measured.items()
        if name in params.every_selection and name not in absent
    }
    known = {name: sign * mean(own) for name, own in scores.items() if not isnan(mean(own))}
    best = max(known, key=lambda name: known[name], default=None)
    wanted = {"none", *params.report.baselines[:1], best, "full"}
    return [name for name in params.table if name in wanted & measured.keys() - absent]
