"""The columns over which a table's rows compare, where some were not run in every row."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from harness.report.shared.runs import Row
from harness.suites import Column, Suite
from harness.suites.metrics import NotRun

_EMPTY = NotRun(not_run="it has no column that every row has")


def comparable(suite: Suite, runs: Sequence[Mapping[str, float]]) -> Suite:
    """The suite with each mean over those of its columns that every run has.

    Args:
        suite: as read from its file.
        runs: each run's scores by column, without the columns that were not run.

    A mean over fewer columns has another name (`avg_of_5`, "Average of 5"), so that it is not
    taken for the full one; the headline follows it. A mean left without columns has no score in
    any row: the columns that single rows have differ.
    """
    columns, headline = [], suite.headline
    for column in suite.columns:
        of = [name for name in column.of or [] if all(name in scores for scores in runs)]
        if len(of) < len(column.of or []):
            fewer = _over(column, of) if of else column.model_copy(update={"of": []})
            headline = fewer.name if column.name == headline else headline
            columns.append(fewer)
        else:
            columns.append(column)
    return suite.model_copy(update={"columns": columns, "headline": headline})


def _over(mean: Column, of: list[str]) -> Column:
    name, label = (f"{text} of {len(of)}" for text in (mean.name, mean.label))
    return mean.model_copy(update={"name": name.replace(" ", "_"), "label": label, "of": of})


def is_headline(suite: Suite, name: str) -> bool:
    """Whether a column of that name is the suite's headline, or that over fewer columns."""
    head = suite.column(suite.headline)
    of = head.of or []
    return name in {head.name, *(_over(head, of[:n]).name for n in range(1, len(of)))}


def with_means(suite: Suite, scores: Mapping[str, float]) -> dict[str, float]:
    """A run's scores by the suite's columns, with every mean that they give."""
    known = {c.name: scores[c.name] for c in suite.columns if c.name in scores and c.of != []}
    for column in suite.columns:
        if column.of and column.name not in known and all(name in scores for name in column.of):
            known[column.name] = fmean(scores[name] for name in column.of)
    return known


def compare(suite: Suite, rows: Sequence[Row]) -> tuple[Suite, list[Row]]:
    """The suite over which rows compare, and the rows with its means among their scores."""
    suite = comparable(suite, [one.measured for row in rows for one in row.metrics.values()])
    empty = [column.name for column in suite.columns if column.of == []]
    compared = []
    for row in rows:
        metrics = {}
        for seed, one in row.metrics.items():
            void = {name: _EMPTY for name in empty if name in one.measured}
            scores = one.scores | void | with_means(suite, one.measured)
            metrics[seed] = one.model_copy(update={"scores": scores})
        compared.append(replace(row, metrics=metrics))
    return suite, compared
