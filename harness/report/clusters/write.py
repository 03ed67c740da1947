"""Write a study of clusterings: tables, page, plot."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from harness.params.params import Params
from harness.published.claims import Claim, judge_correlation
from harness.report.clusters.charts import cluster_charts
from harness.report.clusters.inputs import ClusterStudy, read_cluster_study
from harness.report.clusters.plot import plot_clusters
from harness.report.shared.clusterings import POOR
from harness.report.shared.columns import column
from harness.report.shared.judging import tested_in_main_table
from harness.report.shared.notes import preset_note, score_notes, training_notes, trial_mark
from harness.report.shared.pages import page, write_report
from harness.report.shared.published import (
    beside_published,
    claim_files,
    claim_table,
    claim_texts,
)
from harness.report.shared.study_table import (
    digits_of,
    judgement_table,
    not_run_cells,
    score_table,
    score_text,
)
from harness.report.shared.tables import BLANK, TextTable, csv_text, interval, number, p_text
from harness.report.shared.verdicts import judging_notes, verdict_notes
from harness.statistics.ranks import FEWEST, RankCorrelation, rank_correlation

DECIMALS = 6
EVERY = "all of them"  # what the correlation over several embeddings is called


def write_clusters(params: Params, study: str) -> Path:
    """Write ``table.csv|md|png``: scores beside silhouette, inertia and poor clusters of each row.

    Table 5 and figures 3 to 5 of arXiv 2409.11378. Everything is computed before the first file is
    written. Returns the folder. Raises InputError naming what is missing and the stage that makes
    it.
    """
    import pandas as pd

    table = read_cluster_study(params, study)
    ranked = correlations(table)
    claimed = claims(table, ranked)
    frame = not_run_cells(pd.DataFrame(table.lines).round(DECIMALS), table.suite)
    frame["k"] = frame["k"].astype("Int64")
    return write_report(
        params,
        study,
        {
            "table.csv": csv_text(frame),
            "table.md": markdown(table, ranked, claimed),
            "table.png": partial(plot_clusters, table),
            **claim_files(claimed),
        },
        cluster_charts(table),
        claims=claim_texts(
            claimed, digits_of(table.suite, table.suite.column(table.suite.headline))
        ),
    )


def correlations(table: ClusterStudy) -> dict[str, RankCorrelation]:
    """How the silhouette ranks the rows beside how the headline does, by embedding and over all.

    Positive where a better silhouette goes with a better score. Embeddings of too few clusterings
    have none of their own.
    """
    head = table.suite.column(table.suite.headline)
    sign = 1 if head.higher_is_better else -1
    groups = dict(table.clustered)
    if len(groups) > 1:
        groups[EVERY] = [line for lines in groups.values() for line in lines]
    ranked = {
        name: rank_correlation(
            [line["silhouette"] for line in lines], [sign * line[head.name] for line in lines]
        )
        for name, lines in groups.items()
    }
    return {name: one for name, one in ranked.items() if one.n >= FEWEST}


def claims(table: ClusterStudy, ranked: Mapping[str, RankCorrelation]) -> list[Claim]:
    """What the paper claims of clusterings of the default embedding; of trials nothing."""
    if any(row.trial for row in table.rows):
        return []
    correlation = ranked.get(table.params.defaults.embedding)
    return [] if correlation is None else judge_correlation(table.study, correlation)


def markdown(
    table: ClusterStudy, ranked: Mapping[str, RankCorrelation], claimed: Sequence[Claim]
) -> str:
    """The report's page."""
    params, head = table.params, table.suite.column(table.suite.headline)
    digits = digits_of(table.suite, head)
    title = params.studies[table.study].title or f"{table.study} study"
    trial = any(row.trial for row in table.rows)
    return page(
        "clusters/page.md.jinja",
        title=title,
        mark=trial_mark(table.rows),
        params=params,
        preset=preset_note(params.preset),
        head=head.label,
        scores=score_table(table.suite, table.lines, ("seeds",), table.baselines),
        verdicts=[]
        if trial
        else verdict_notes(table.lines, table.baselines, head.label, digits, params.preset),
        notes=score_notes(table.suite, table.rows) + _judging(table, digits),
        cut=training_notes(table.rows),
        published=beside_published(params, table.study, table.suite, table.lines),
        claims=claim_table(claimed, digits),
        facts=fact_table(table),
        correlations=correlation_table(ranked),
        judged={
            name: judgement_table(table.lines, digits, name, suffix)
            for name, suffix in table.baselines.items()
        },
        poor=POOR,
        quality=table.quality,
        several=len(table.clustered) > 1,
    )


def _judging(table: ClusterStudy, digits: int) -> list[str]:
    if not table.baselines:
        return []
    elsewhere = tested_in_main_table(table.params, table.study, table.rows, table.baselines)
    return judging_notes(
        table.judged, table.rows, table.lines, table.baselines, digits, elsewhere=elsewhere
    )


def fact_table(table: ClusterStudy) -> TextTable:
    """Each row's clustering beside its headline."""
    head = table.suite.column(table.suite.headline)
    labels = [column(name).label for name in ("silhouette", "inertia", "poor")]
    rows = [
        [
            str(line["selection"]),
            line["embedding"] or BLANK,
            number(line["k"], 0),
            number(line["silhouette"], 4),
            number(line["inertia"], 1),
            column("poor").text(line["poor"]),
            score_text(table.suite, line, head),
        ]
        for line in table.lines
    ]
    return TextTable(["selection", "embedding", "k", *labels, head.label], rows)


def correlation_table(ranked: Mapping[str, RankCorrelation]) -> TextTable | None:
    """The rank correlations with their intervals; None where there are too few clusterings."""
    rows = [
        [
            name,
            number(one.n, 0),
            f"{number(one.value, 2, sign=True)} {interval(one.low, one.high, 2, sign=True)}",
            p_text(one.p),
        ]
        for name, one in ranked.items()
    ]
    heads = ["embedding", "clusterings", "rank correlation [95%]", "p"]
    return TextTable(heads, rows) if rows else None
