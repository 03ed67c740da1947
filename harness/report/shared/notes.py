"""Plain-text notes that several reports share: what a preset is, what was not run, what was cut."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.common import layout
from harness.common.files import read_json
from harness.report.shared.pages import plain_notes
from harness.report.shared.runs import Row
from harness.suites import Suite

Places = dict[str, list[str]]  # names of rows, by what they share


def preset_note(preset: str, worlds: Sequence[str] = ()) -> str:
    """What the preset's tables can say and what they cannot; empty where there is nothing to add.

    The base model's size comes from what the stage that made it wrote: the first of ``worlds``,
    where a table is of these.
    """
    root = layout.WORLDS / worlds[0] if worlds else Path()
    path = root / layout.BASE_MODEL / "base_model.json"
    size = read_json(path).get("parameters") if path.is_file() else None
    count = len(worlds)
    return " ".join(plain_notes("shared/preset.txt.jinja", preset=preset, size=size, worlds=count))


def score_notes(suite: Suite, rows: Sequence[Row]) -> list[str]:
    """A note for scores that are missing, and for programs run outside the full sandbox.

    Args:
        suite: over which the rows compare.
        rows: those of the table.

    Plain text, which may hold anything that a benchmark's label or a reason holds.
    """
    missing: dict[str, Places] = {}  # by reason and label
    for column in (c for c in suite.columns if c.kind != "mean"):
        for row in rows:
            for reason in _sorted(m.not_run.get(column.name) for m in row.metrics.values()):
                labels = missing.setdefault(reason, {})
                labels.setdefault(column.label, []).append(row.name)
    unisolated: Places = {}
    for row in rows:
        for reason in _sorted(m.unisolated for m in row.metrics.values()):
            unisolated.setdefault(reason, []).append(row.name)
    affected = [row for row in rows if any(m.not_run for m in row.metrics.values())]
    head = suite.column(suite.headline)
    return plain_notes(
        "shared/scores.txt.jinja",
        missing={
            why: {label: _names(names, rows) for label, names in labels.items()}
            for why, labels in missing.items()
        },
        unisolated={why: _names(names, rows) for why, names in unisolated.items()},
        stages=sorted({stage.partition("@")[0] for row in affected for stage in row.stages}),
        head=head,
        of=[suite.column(name).label for name in head.of or []],
        compared=any(row.has(head.name) for row in rows),
    )


def cut_notes(rows: Sequence[Row]) -> list[str]:
    """A note on what training cut and dropped for length; of each row the most of any seed."""
    counts = {}
    for name in ("truncated", "dropped"):
        most: dict[str, int] = {}
        for row in rows:  # in every world, where there are several
            own = (int(manifest.get(name, 0)) for manifest in row.manifests.values())
            most[row.name] = max(most.get(row.name, 0), *own)
        counts[name] = [f"{count:,} of {row}" for row, count in most.items() if count]
    return plain_notes("shared/cut.txt.jinja", **counts)


def _sorted(reasons: Iterable[str | None]) -> list[str]:
    return sorted({reason for reason in reasons if reason})


def _names(names: Sequence[str], rows: Sequence[Row]) -> str:
    names = list(dict.fromkeys(names))
    return "every row" if len(names) == len(rows) else ", ".join(names)
