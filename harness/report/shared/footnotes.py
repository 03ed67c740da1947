"""The notes right under a table: what was not run, ran without a wall, or was cut in training."""

from collections.abc import Sequence

from harness.report.shared.runs import Row
from harness.suites import Suite


def score_notes(suite: Suite, rows: Sequence[Row]) -> list[str]:
    """A sentence or two for each reason why scores are not there, or are not what others are.

    Args:
        suite: over which the rows compare.
        rows: those of the table.

    Plain text: it may hold anything a benchmark's label or a reason holds.
    """
    return [*_not_run(suite, rows), *_unisolated(rows)]


def _not_run(suite: Suite, rows: Sequence[Row]) -> list[str]:
    lacking: dict[str, dict[str, list[str]]] = {}
    for column in (c for c in suite.columns if c.kind != "mean"):
        for row in rows:
            why = {m.not_run[column.name] for m in row.metrics.values() if column.name in m.not_run}
            for reason in sorted(why):
                lacking.setdefault(reason, {}).setdefault(column.label, []).append(row.name)
    if not lacking:
        return []
    told = [
        f"Not run: {'; '.join(f'{label} in {_names(n, rows)}' for label, n in found.items())}. "
        f"Why: {reason.removesuffix('.')}."
        for reason, found in lacking.items()
    ]
    without = [row for row in rows if any(m.not_run for m in row.metrics.values())]
    stages = sorted({stage.partition("@")[0] for row in without for stage in row.stages})
    command = f"dvc repro -f -s {' '.join(stages)}"
    after = "make repro" if stages == ["evaluate"] else "dvc repro"  # the main table, or another
    again = f"Afterwards, {command} fills them in, then {after} makes the table again."
    return [" ".join([*told, again, _headline(suite, rows)]).strip()]


def _headline(suite: Suite, rows: Sequence[Row]) -> str:
    """What the headline is of, where it is a mean or is not there."""
    head = suite.column(suite.headline)
    if not any(row.has(head.name) for row in rows):
        return f"{head.label} has no column that every row has: no row is compared."
    if not head.of:
        return ""
    of = ", ".join(suite.column(name).label for name in head.of)
    return (
        f"{head.label} is the mean of the columns that every row has: {of}. Differences, their "
        "intervals and p are of it."
    )


def _unisolated(rows: Sequence[Row]) -> list[str]:
    found: dict[str, list[str]] = {}
    for row in rows:
        for why in sorted({m.unisolated for m in row.metrics.values() if m.unisolated}):
            found.setdefault(why, []).append(row.name)
    return [
        "Programs that models wrote ran without every wall of the sandbox "
        f"(evaluate.allow_unisolated) in {_names(names, rows)}: {why.removesuffix('.')}."
        for why, names in found.items()
    ]


def cut_notes(rows: Sequence[Row]) -> list[str]:
    """What training cut and dropped for length, of each row the most of any seed; plain text."""
    found = {}
    for name, told in (("truncated", "cut"), ("dropped", "dropped")):
        most = {r.name: max(int(m.get(name, 0)) for m in r.manifests.values()) for r in rows}
        counts = [f"{count:,} of {row}" for row, count in most.items() if count]
        found[told] = ", ".join(counts)
    if not any(found.values()):
        return []
    dropped = f" Dropped, as no response was left: {found['dropped']}." if found["dropped"] else ""
    return [
        "Rows longer than train.max_length or the model's context in training, the most of any "
        f"seed. Cut: {found['cut'] or 'none'}.{dropped}"
    ]


def _names(names: Sequence[str], rows: Sequence[Row]) -> str:
    names = list(dict.fromkeys(names))
    return "every row" if len(names) == len(rows) else ", ".join(names)
