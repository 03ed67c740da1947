"""Write a study of curves: tables, page, plots."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from harness.params.params import Params
from harness.published.claims import Claim, judge_differences
from harness.report.curves.charts import curve_charts
from harness.report.curves.inputs import WEIGHING, CurveStudy, read_curve_study
from harness.report.curves.lines import (
    FALLING,
    MOSTLY,
    loop_lines,
    outlying_rows,
    round_notes,
    score_lines,
)
from harness.report.curves.plots import plot_scores, plot_weights
from harness.report.curves.sizes import size_notes
from harness.report.curves.tables import SCORE_DIGITS, cost_table, gain_table, weight_table
from harness.report.shared.judging import judged
from harness.report.shared.notes import preset_note, score_notes, training_notes, trial_mark
from harness.report.shared.pages import page, write_report
from harness.report.shared.published import (
    beside_published,
    claim_files,
    claim_table,
    claim_texts,
)
from harness.report.shared.runs import BASELINE
from harness.report.shared.study_table import (
    Line,
    digits_of,
    judgement_table,
    not_run_cells,
    score_table,
)
from harness.report.shared.tables import csv_text, number
from harness.report.shared.verdicts import judging_notes, verdict_notes
from harness.suites import Suite

DECIMALS = 6
COUNTS = ("rows", "clusters", "noisy_clusters")


def write_curves(params: Params, study: str) -> Path:
    """Write ``table.csv|md|png``, ``rounds.csv`` if a row has rounds, ``weights.png`` if weights.

    Scores by size and by round: table 7 and figure 2 of arXiv 2409.11378, and DiverseEvol (arXiv
    2311.08182) by round. Everything is computed before the first file is written. Returns the
    folder. Raises InputError naming the file that is missing and the stage that makes it.
    """
    curves = read_curve_study(params, study)
    scores, loops = score_lines(curves), loop_lines(curves)
    claimed = claims(curves, scores)
    files: dict[str, str | Callable[[Path], object]] = {
        "table.csv": _csv(scores, curves.suite),
        "table.md": markdown(curves, scores, loops, claimed),
        "table.png": partial(plot_scores, curves, scores),
    }
    files |= claim_files(claimed)
    if loops:
        files["rounds.csv"] = _csv(loops)
    if curves.weighed:
        files["weights.png"] = partial(plot_weights, curves, loops)
    digits = digits_of(curves.suite, curves.suite.column(curves.suite.headline))
    shown = claim_texts(claimed, digits)
    return write_report(params, study, files, curve_charts(curves, scores), claims=shown)


def markdown(study: CurveStudy, scores: list[Line], loops: list[Line], claimed: list[Claim]) -> str:
    """The report's page: tables, what they show, and how to read them."""
    rows = [point.row for point in study.points]
    head = study.suite.column(study.suite.headline)
    digits = digits_of(study.suite, head)
    weighed = [line for line in loops if "effective_clusters" in line]
    noisy = {line["selection"]: line for line in weighed if "noisy_clusters" in line}
    compared = [x for x in weighed if not np.isnan([x["score_gain"], x["gain_before"]]).any()]
    counts = ("tokens_scored", "judge_answers")
    return page(
        "curves/page.md.jinja",
        params=study.params,
        title=study.params.studies[study.study].title or f"{study.study} study",
        mark=trial_mark(rows),
        preset=preset_note(study.params.preset),
        head=head.label,
        scores=score_table(
            study.suite, scores, ("rows", "seeds"), {BASELINE: ""}, ("vendi_score",)
        ),
        verdicts=[]
        if any(row.trial for row in rows)
        else [
            *verdict_notes(
                scores, {"as many random rows": ""}, head.label, digits, study.params.preset
            ),
            *size_notes(scores, digits),
        ],
        differences=judgement_table(scores, digits, BASELINE, ""),
        remarks=_remarks(scores),
        published=beside_published(study.params, study.study, study.suite, scores),
        claims=claim_table(claimed, digits),
        notes=score_notes(study.suite, rows),
        judging=judging_notes(
            None, rows, scores, {BASELINE: ""}, digits, outliers=outlying_rows(study)
        ),
        cut=training_notes(rows),
        alone=[
            line["row"] for line in scores if line["selection"] != BASELINE and not line["against"]
        ],
        tested=sum(bool(line["verdict"]) for line in scores),
        loops=loops,
        by_llm_judge=any(loop.scorer == "judge" for loop in study.loops),
        weighing=WEIGHING,
        costs=cost_table(study, loops),
        counted={name: any(line[name] == line[name] for line in loops) for name in counts},
        warnings=round_notes(study),
        weighed=weighed,
        gains=gain_table(study, weighed),
        compared=len(compared),
        apart=_apart(study, compared),
        falling=sorted({line["scorer"] for line in weighed} & FALLING),
        weights=weight_table(weighed),
        mostly=MOSTLY,
        noisy=list(noisy.values()),
    )


def claims(study: CurveStudy, lines: Sequence[Line]) -> list[Claim]:
    """What the paper claims of the study's rows, as measured here; of trials nothing."""
    rows = [point.row for point in study.points]
    if any(row.trial for row in rows):
        return []
    tested = {
        frozenset((line["row"], line["against"])): line["p"]
        for line in lines
        if line["p"] == line["p"]
    }
    return judge_differences(study.study, judged(study.params, study.suite, rows), tested)


def _remarks(lines: list[Line]) -> dict[str, list[str]]:
    """The rows that are not tested, by the reason."""
    remarks: dict[str, list[str]] = {}
    for line in lines:
        if line["remark"]:
            remarks.setdefault(line["remark"], []).append(line["row"])
    return remarks


def _apart(study: CurveStudy, compared: list[Line]) -> list[str]:
    """The rounds whose answers scored better while the headline did not rise."""
    head = study.suite.column(study.suite.headline)
    digits = digits_of(study.suite, head) + 1
    return [
        f"{line['selection']} in round {line['round']} (score "
        f"{number(line['score_gain'], SCORE_DIGITS, sign=True)}, {head.label} "
        f"{number(line['gain_before'], digits, sign=True)})"
        for line in compared
        if line["score_gain"] > 0 and line["gain_before"] <= 0
    ]


def _csv(lines: list[Line], suite: Suite | None = None) -> str:
    """The lines, counts as integers, without empty columns.

    Columns of the suite, where one is given, stay though empty: they were not run.
    """
    import pandas as pd

    frame = pd.DataFrame(lines).round(DECIMALS)
    frame = (not_run_cells(frame, suite) if suite else frame).dropna(axis="columns", how="all")
    for name in frame.columns.intersection(COUNTS):
        if not np.any(frame[name].dropna().to_numpy() % 1):  # seeds may differ
            frame[name] = frame[name].astype("Int64")
    return csv_text(frame)
