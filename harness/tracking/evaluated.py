"""What evaluate wrote of a run, and what MLflow is told of it besides numbers."""

import csv
from io import StringIO

from harness.common import layout
from harness.common.errors import printable
from harness.params.params import Cell
from harness.report.shared.comparable import with_means
from harness.report.shared.study_table import NOT_RUN
from harness.suites import Suite
from harness.suites.metrics import SeedMetrics, read_metrics

NOTE_LIMIT = 7500  # characters; MLflow's is 8,000 for a tag


def evaluated_run(cell: Cell, seed: int, suite: Suite) -> SeedMetrics | None:
    """What evaluate wrote of a seed; None where it has not run, or ran another suite."""
    path = layout.RUNS / cell.path / "metrics.json"
    if not path.is_file():
        return None
    found = read_metrics(path)
    return found.seeds.get(str(seed)) if found.suite == suite.name else None


def wall_tags(suite: Suite, evaluated: SeedMetrics) -> dict[str, str]:
    """Tags of what a missing wall of the sandbox changed in a run's scores; none where nothing."""
    tags = {}
    if evaluated.not_run:
        why = "; ".join(dict.fromkeys(evaluated.not_run.values()))
        tags["not_run"] = f"{', '.join(evaluated.not_run)}: {why}"
    if evaluated.unisolated:
        tags["unisolated"] = evaluated.unisolated
    head = suite.column(suite.headline)
    if head.name not in evaluated.scores:
        tags["headline"] = f"{head.label}: {', '.join(head.of or [])}"
    return {name: text[:NOTE_LIMIT] for name, text in tags.items()}


def scores_csv(suite: Suite, evaluated: SeedMetrics) -> str:
    """A run's scores as a CSV of a line a column, with chance and how many items."""
    scores = with_means(suite, evaluated.measured)
    text = StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["column", "label", "score", "chance", "items"])
    for c in suite.columns:
        chance = "" if c.chance is None else f"{c.chance:g}"
        score = f"{scores[c.name]:.4f}" if c.name in scores else NOT_RUN
        lines.writerow([c.name, printable(c.label), score, chance, evaluated.n.get(c.name, "")])
    return text.getvalue()
