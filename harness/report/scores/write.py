"""Write a table of scores, its plot, summary and provenance."""

from functools import partial
from math import isnan
from pathlib import Path
from typing import Any

from harness.common.files import write_json
from harness.params.params import MAIN, Params
from harness.published.claims import Claim, judge_differences
from harness.report.scores.charts import score_charts
from harness.report.scores.columns import column_facts
from harness.report.scores.plot import plot_study
from harness.report.scores.table import AS_POOL, StudyTable, build_table, fact_table
from harness.report.shared.judging import baselines_of, tested_in_main_table
from harness.report.shared.notes import preset_note, score_notes, training_notes
from harness.report.shared.pages import page, plain_notes, write_report
from harness.report.shared.provenance import provenance
from harness.report.shared.published import (
    beside_published,
    claim_files,
    claim_table,
    claim_texts,
)
from harness.report.shared.study_table import (
    BETTER,
    NOT_RUN,
    difference_text,
    digits_of,
    judgement_table,
    score_table,
    unit_of,
)
from harness.report.shared.tables import TextTable, csv_text, latex_table, number
from harness.report.shared.verdicts import judging_notes, untrained_notes, verdict_notes
from harness.suites import Column


def write_scores(params: Params, study: str) -> Path:
    """Write a study's ``table.csv|md|tex|png`` and provenance; of the main table a summary, too.

    Everything is computed before the first file is written. Returns the folder. Raises InputError
    naming the stage to run where a cell that params name is missing.
    """
    table = build_table(params, study)
    origin, claimed = provenance(params, table.rows), claims(table)
    folder = write_report(
        params,
        study,
        {
            "table.md": markdown(table, claimed),
            "table.tex": latex(table),
            "table.csv": csv_text(table.frame()),
            "table.png": partial(plot_study, table),
            "provenance.json": lambda path: write_json(path, origin),
            **claim_files(claimed),
        },
        score_charts(table),
        finding=[*finding(table), *_untrained(table)],
        provenance=origin,
        claims=claim_texts(claimed, digits_of(table.suite, _head(table))),
    )
    if study == MAIN:
        rows = summary(table)
        write_json(folder.parent / "summary.json", rows)
        write_json(folder.parent / "metrics.json", metrics(table, rows))
    return folder


def markdown(table: StudyTable, claimed: list[Claim]) -> str:
    """The report's page: the scores, what each subset is and cost, how to read it."""
    head = _head(table)
    digits = digits_of(table.suite, head)
    return page(
        "scores/page.md.jinja",
        table=table,
        preset=preset_note(table.params.preset),
        scores=main_table(table),
        notes=_notes(table),
        facts=fact_table(table),
        single=[row.name for row in table.rows if len(row.seeds) == 1],
        verdicts=_verdicts(table),
        judged={
            name: judgement_table(table.lines, digits, name, suffix)
            for name, suffix in table.baselines.items()
            if not all(isnan(line[f"diff{suffix}"]) for line in table.lines)
        },
        tested=tested_together(table),
        tokens=any(line.get("select_tokens") for line in table.lines),
        columns=column_facts(table),
        published=beside_published(table.params, table.study, table.suite, table.lines),
        claims=claim_table(claimed, digits),
        weights={table.suite.column(name).label: share for name, share in table.weights.items()},
    )


def claims(table: StudyTable) -> list[Claim]:
    """What the paper claims of the study's rows, as measured here; of trials nothing."""
    if any(row.trial for row in table.rows):
        return []
    tested = {}
    for baseline, suffix in table.baselines.items():
        theirs = baselines_of(table.judged, table.rows, baseline)
        for row, line in zip(table.rows, table.lines, strict=True):
            if not isnan(p := line[f"p{suffix}"]):
                tested[frozenset((row.name, theirs[row.cells[0].base]))] = p
    return judge_differences(table.study, table.judged, tested)


def finding(table: StudyTable) -> list[str]:
    """In one sentence, what the table says of the systems; of trials and untested rows nothing."""
    first = next(iter(table.baselines), None)
    tested = [line for line in table.lines if line["verdict"]]
    mine = next((line for line in table.lines if line["selection"] == first), None)
    if not tested or mine is None or any(row.trial for row in table.rows):
        return []
    head, digits = _head(table), digits_of(table.suite, _head(table))
    sign = 1 if head.higher_is_better else -1
    better = [line for line in tested if line["verdict"] == BETTER]
    best = max(better, key=lambda line: sign * line["diff"], default=None)
    needed = [line["detectable"] for line in tested if not isnan(line["detectable"])]
    ends = dict.fromkeys(number(end(needed), digits) for end in (min, max)) if needed else {}
    return plain_notes(
        "scores/finding.txt.jinja",
        best=best
        and {
            "name": best["selection"],
            "score": number(best[head.name], digits),
            "gap": difference_text(best, digits),
        },
        better=len(better),
        count=len(tested),
        rows=number(mine["rows"], 0),
        head=head.label,
        unit=unit_of(digits),
        baseline=first,
        score=number(mine[head.name], digits),
        detectable=" to ".join(ends),
    )


def _verdicts(table: StudyTable) -> list[str]:
    """What the table says of its rows; of trials nothing."""
    if any(row.trial for row in table.rows):
        return []
    head, baselines = _head(table), table.baselines
    digits = digits_of(table.suite, head)
    said = verdict_notes(table.lines, baselines, head.label, digits, table.params.preset)
    return [*said, *_untrained(table)]


def _untrained(table: StudyTable) -> list[str]:
    """What training on the first baseline's rows does; of trials nothing."""
    head, first = _head(table), next(iter(table.baselines), None)
    if first is None or any(row.trial for row in table.rows):
        return []
    return untrained_notes(table.rows, table.judged, first, head, digits_of(table.suite, head))


def tested_together(table: StudyTable) -> dict[str, int]:
    """By baseline, how many p-values its family corrects; without families that test nothing.

    Rows of the same models count once, a pair that an earlier family holds not at all.
    """
    counts: dict[str, int] = {}
    earlier = set[tuple[tuple[int, str], ...]]()
    for name, suffix in table.baselines.items():
        known = {
            row.runs
            for row, line in zip(table.rows, table.lines, strict=True)
            if row.runs not in earlier and not isnan(line[f"p{suffix}"])
        }
        counts |= {name: len(known)} if known else {}
        theirs = baselines_of(table.judged, table.rows, name).values()
        earlier |= {row.runs for row in table.rows if row.name in theirs}
    return counts


def _head(table: StudyTable) -> Column:
    return table.suite.column(table.suite.headline)


def latex(table: StudyTable) -> str:
    """Both tables in LaTeX, the preset's note in the first one's caption."""
    preset = preset_note(table.params.preset)
    first, second = plain_notes("scores/caption.txt.jinja", title=table.title, preset=preset)
    label = f"tab:{table.params.preset}-{table.study}"
    tables = (
        latex_table(main_table(table), first, label, _notes(table)),
        latex_table(fact_table(table), second, f"{label}-facts"),
    )
    return "\n".join(tables)


def main_table(table: StudyTable) -> TextTable:
    """The scores as text."""
    beside = {AS_POOL: f"{_head(table).label} as the pool"} if table.weights else {}
    return score_table(table.suite, table.lines, ("seeds", "rows"), table.baselines, beside=beside)


def _notes(table: StudyTable) -> list[str]:
    """What stands directly below the scores."""
    digits = digits_of(table.suite, _head(table))
    notes = score_notes(table.suite, table.rows)
    if table.baselines:
        elsewhere = tested_in_main_table(table.params, table.study, table.rows, table.baselines)
        notes += judging_notes(
            table.judged, table.rows, table.lines, table.baselines, digits, elsewhere=elsewhere
        )
    return [*notes, *training_notes(table.rows)]


def summary(table: StudyTable) -> dict[str, dict[str, Any]]:
    """Each row's headline, deviation, seeds and benchmarks, rounded, for DVC to show."""
    suite, head = table.suite, table.suite.headline
    digits = {c.name: max(2, digits_of(suite, c)) for c in suite.columns}
    rows: dict[str, dict[str, Any]] = {}
    for line in table.lines:
        sd = line[f"{head}_sd"]
        scores: dict[str, Any] = {
            name: round(float(line[name]), places) if line[name] == line[name] else NOT_RUN
            for name, places in digits.items()
        }
        short: dict[str, Any] = {head: scores.pop(head)}
        if line.get("trial"):
            short["trial"] = True
        if sd == sd:
            short["sd"] = round(float(sd), digits[head])
        rows[str(line["selection"])] = {**short, "seeds": int(line["seeds"]), **scores}
    return rows


def metrics(table: StudyTable, rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One number a row, its headline, for DVC's own tables; in words where it is no result."""
    head = table.suite.headline
    return {
        name: f"trial: {rows[name][head]}" if "trial" in rows[name] else rows[name][head]
        for name in table.params.report.metrics or rows
        if name in rows
    }
