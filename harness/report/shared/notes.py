"""Plain-text notes that several reports share: what a preset is, what was not run, how trained."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.common import layout
from harness.common.files import read_json
from harness.common.locations import HUB_ID
from harness.report.shared.pages import plain_notes
from harness.report.shared.runs import Row
from harness.suites import Suite

Places = dict[str, list[str]]  # names of rows, by what they share


def preset_note(preset: str, worlds: Sequence[str] = ()) -> str:
    """What the preset's tables can say and what they cannot; empty where there is nothing to add.

    The base model's size, and what one that was not made here is, come from what its stage wrote:
    the first of ``worlds``, where a table is of these.
    """
    root = layout.WORLDS / worlds[0] if worlds else Path()
    path = root / layout.BASE_MODEL / "base_model.json"
    made = read_json(path) if path.is_file() else {}
    source = made.get("source", "")
    notes = plain_notes(
        "shared/preset.txt.jinja",
        preset=preset,
        size=made.get("parameters"),
        model=made.get("label") or (source if HUB_ID.fullmatch(source) else None),
        worlds=len(worlds),
    )
    return " ".join(notes)


def score_notes(suite: Suite, rows: Sequence[Row]) -> list[str]:
    """Notes for missing scores, programs run outside the full sandbox, and judgments left out.

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
        unparsed={
            suite.column(name).label: counts
            for name in suite.judged
            if (counts := [text for row in rows if (text := _unparsed(row, name))])
        },
        of=[suite.column(name).label for name in head.of or []],
        compared=any(row.has(head.name) for row in rows),
    )


def _unparsed(row: Row, column: str) -> str:
    """How many judgments of a column have no scores, of the seed with the most; empty for none."""
    each = [one.judged[column] for one in row.metrics.values() if column in one.judged]
    most = max(each, key=lambda one: sum(one.unparsed), default=None)
    if most is None or not sum(most.unparsed):
        return ""
    return f"{sum(most.unparsed):,} of {most.asked:,} of {row.name}"


def trial_mark(rows: Sequence[Row]) -> str:
    """What the title of a report ends in where models of it stopped before their last step."""
    return ": A TRIAL, NOT A RESULT" if any(row.trial for row in rows) else ""


def training_notes(rows: Sequence[Row]) -> list[str]:
    """Notes on what was stopped early, on how models were trained, and on what training cut.

    Cut and dropped for length are of each row the most of any seed.
    """
    trials: Places = {}
    trained: dict[tuple[int, int, str], list[str]] = {}
    for row in rows:
        for manifest in row.manifests.values():
            if row.trial:
                text = f"{manifest['steps']:,} of {manifest.get('whole_steps', 0):,}"
                trials.setdefault(text, []).append(row.name)
            if "precision" in manifest:
                names = ("parameters", "trainable_parameters", "precision")
                how: tuple[int, int, str] = tuple(manifest[name] for name in names)
                trained.setdefault(how, []).append(row.name)
    counts = {}
    for name in ("truncated", "dropped"):
        most: dict[str, int] = {}
        for row in rows:  # in every world, where there are several
            own = (int(manifest.get(name, 0)) for manifest in row.manifests.values())
            most[row.name] = max(most.get(row.name, 0), *own)
        counts[name] = [f"{count:,} of {row}" for row, count in most.items() if count]
    return plain_notes(
        "shared/training.txt.jinja",
        trials={steps: list(dict.fromkeys(names)) for steps, names in trials.items()},
        trained={how: list(dict.fromkeys(names)) for how, names in trained.items()},
        **counts,
    )


def _sorted(reasons: Iterable[str | None]) -> list[str]:
    return sorted({reason for reason in reasons if reason})


def _names(names: Sequence[str], rows: Sequence[Row]) -> str:
    names = list(dict.fromkeys(names))
    return "every row" if len(names) == len(rows) else ", ".join(names)
