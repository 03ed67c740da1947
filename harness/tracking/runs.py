"""The contents of each MLflow run, read from the files of the stages that have finished."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from harness.common import layout
from harness.common.errors import printable
from harness.common.files import file_hash, read_json, value_hash
from harness.common.schemas import read_subset
from harness.common.timings import read_timed
from harness.describing.files import FACTS, described_folder, read_described
from harness.params.params import MAIN, Cell, Params
from harness.report.shared.columns import SHARED_COST
from harness.report.shared.comparable import comparable, is_headline, with_means
from harness.report.shared.runs import cells_by_row
from harness.report.shared.study_table import NOT_RUN
from harness.selecting.prefixes import beginning
from harness.statistics.seeds import deviation
from harness.suites import Suite, load_suite
from harness.suites.metrics import SeedMetrics, read_metrics
from harness.tracking.models import EVALUATION, Data, item_digest, parquet_rows
from harness.tracking.system import read_samples, training_began

STUDY_FILES = (".csv", ".md", ".tex", ".png")
# The costs of a row that are the sums of its seeds'.
SUMMED = (
    *(f"cost/train_{name}" for name in ("seconds", "flops", "tokens")),
    *(f"cost/select_{name}" for name in ("seconds", "flops")),
)
NOTE_LIMIT = 7500  # characters; MLflow's is 8,000 for a tag


@dataclass(frozen=True)
class Record:
    """One MLflow run.

    ``identity`` is its place in the grid; ``key`` differs from that of a run of other params or
    weights in the same place; ``state`` changes with anything that is logged.
    """

    identity: str
    key: str
    state: str
    name: str
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    loss: list[dict[str, float]] = field(default_factory=list)
    # Samples of the machine, so not in the state: another clone has none.
    system: list[dict[str, float]] = field(default_factory=list)
    artifacts: list[tuple[Path, str]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    walls: dict[str, str] = field(
        default_factory=dict
    )  # tags of benchmarks not run or not isolated
    data: tuple[Data, ...] = ()  # what it was made from
    items: tuple[Path, int] | None = None  # the file of its samples, and its seed
    scores: frozenset[str] = frozenset()  # the metrics that the items of its suite gave
    trained: bool = False  # it made a model
    parent: str | None = None  # its identity
    start_ms: int = 0
    seconds: float = 0.0


def records(params: Params, recorded: Mapping[str, dict[str, Any]] | None = None) -> list[Record]:
    """Every run that there are files for: parents before their children, tables last.

    ``recorded``: the params that each output was made with, by path, where known.
    """
    suite = load_suite(params.evaluate.suite)
    pool = _pool()
    entries: list[Record] = []
    for study in params.every_study:
        rows = cells_by_row(params, study)
        evaluated = {
            (name, seed): _evaluated_run(cell, seed, suite)
            for name, cells in rows.items()
            for cell in cells
            for seed in cell.seeds
        }
        shared = comparable(suite, [one.measured for one in evaluated.values() if one])
        for name, cells in rows.items():
            there: list[Record] = []
            for cell in cells:
                own = {seed: evaluated[name, seed] for seed in cell.seeds}
                shown = (pool, _items(suite, cell) if any(own.values()) else None)
                made = (
                    _seed_record(params, shared, recorded or {}, cell, seed, one, shown)
                    for seed, one in own.items()
                )
                there += [record for record in made if record is not None]
            if there:
                entries += [_parent_record(params, shared, study, name, there), *there]
    return entries + [r for name in _reports(params) if (r := _table_record(params, name))]


def _reports(params: Params) -> list[str]:
    """Those that have a table: of the studies and over worlds."""
    return [MAIN, *params.report_kinds]


def identities(params: Params) -> set[str]:
    """The identities of all runs that params name, with files or without."""
    names = {f"{name}/table" for name in _reports(params)}
    for cell in params.every_cell():
        names.add(f"{cell.study}/{cell.name}")
        names |= {f"{cell.study}/{cell.name}/seed_{seed}" for seed in cell.seeds}
    return names


def _seed_record(
    params: Params,
    suite: Suite,
    recorded: Mapping[str, dict[str, Any]],
    cell: Cell,
    seed: int,
    evaluated: SeedMetrics | None,
    of_all_seeds: tuple[Data | None, Data | None],
) -> Record | None:
    """A seed's run; ``of_all_seeds`` are the pool and the items, the same for a cell's seeds."""
    study, name, folder = cell.study, cell.name, layout.RUNS / cell.path
    path = folder / "train" / f"seed_{seed}.json"
    if not path.is_file():
        return None
    manifest = read_timed(path)
    subset = _subset(
        layout.subset_folder(cell.of) / cell.group / f"seed_{seed}.parquet", cell, seed
    )
    samples = folder / "samples.parquet"
    outputs = [layout.POOL_FILE, layout.BASE_MODELS / cell.base, layout.subset_folder(cell.of)]
    outputs += [folder / "train", folder / "metrics.json"]
    logged = _logged_params(_params_when_made(params, recorded, outputs), cell)
    measured = evaluated.measured if evaluated else {}
    metrics = {**measured, **with_means(suite, measured)}
    metrics |= _costs(manifest, evaluated, cell, seed)
    metrics |= {"subset/rows": float(subset.rows)} if subset else {}
    walls = _wall_tags(suite, evaluated) if evaluated else {}
    hashes = {key: str(value) for key, value in manifest.items() if key.endswith("_hash")}
    scored = evaluated.model_dump(mode="json", exclude_none=True) if evaluated else {}
    content = {"manifest": manifest, "evaluated": scored, "subset": subset and subset.digest}
    content["items"] = file_hash(samples) if evaluated else None
    seconds, began = float(manifest["seconds"]), training_began(manifest["weights"])
    start_ms = int(path.stat().st_mtime * 1000 - seconds * 1000) if began is None else began
    end_ms = start_ms + int(seconds * 1000)
    pool, items = of_all_seeds
    data = ((pool, subset) if subset else ()) + ((items,) if evaluated else ())
    identity = f"{study}/{name}/seed_{seed}"
    tags = {"kind": "seed", "study": study, "selection": name, "seed": str(seed)}
    return Record(
        identity=identity,
        # MLflow cannot remove a metric or tag: with other columns it is another run.
        key=value_hash([identity, logged, manifest, *([walls] if walls else [])]),
        state=value_hash([content, metrics]),
        name=f"{name} seed {seed}",
        tags={**tags, **hashes, **walls, **_trial_tag(manifest)},
        params={**logged, **_size(manifest), "seed": str(seed)},
        metrics=_headline_first(suite, metrics),
        loss=manifest.get("loss_curve", []),
        system=read_samples(cell.stage("train"), start_ms, end_ms) if began else [],
        artifacts=[(path, "train")] + ([(subset.path, "subset")] if subset else []),
        texts={"scores.csv": _scores_csv(suite, evaluated)} if evaluated else {},
        walls=walls,
        data=tuple(one for one in data if one),
        items=(samples, seed) if evaluated else None,
        scores=frozenset(measured),
        trained=manifest["weights"] != "base",
        parent=f"{study}/{name}",
        start_ms=start_ms,
        seconds=seconds,
    )


def _evaluated_run(cell: Cell, seed: int, suite: Suite) -> SeedMetrics | None:
    """A seed's metrics; None if evaluate has not run, or ran another suite."""
    path = layout.RUNS / cell.path / "metrics.json"
    if not path.is_file():
        return None
    metrics = read_metrics(path)
    return metrics.seeds.get(str(seed)) if metrics.suite == suite.name else None


def _wall_tags(suite: Suite, evaluated: SeedMetrics) -> dict[str, str]:
    """Tags for benchmarks that a missing wall of the sandbox left out or unisolated."""
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


def _scores_csv(suite: Suite, evaluated: SeedMetrics) -> str:
    """A run's scores as CSV, one line a column, with chance and number of items."""
    scores = with_means(suite, evaluated.measured)
    text = StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["column", "label", "score", "chance", "items"])
    for c in suite.columns:
        chance = "" if c.chance is None else f"{c.chance:g}"
        score = f"{scores[c.name]:.4f}" if c.name in scores else NOT_RUN
        lines.writerow([c.name, printable(c.label), score, chance, evaluated.n.get(c.name, "")])
    return text.getvalue()


def _params_when_made(
    params: Params, recorded: Mapping[str, dict[str, Any]], outputs: list[Path]
) -> Params:
    """The params that the outputs were made with: as recorded, else as they are now.

    Edits made since must not appear as the params of the run.
    """
    values = params.model_dump(mode="json")
    for output in outputs:
        for dotted, value in recorded.get(output.as_posix(), {}).items():
            *above, last = dotted.split(".")
            place = values
            for part in above:
                place = place.setdefault(part, {})
            place[last] = value
    try:
        return Params.model_validate(values)
    except ValidationError:
        return params  # recorded by a version with other keys


def _flat(value: object, name: str = "") -> dict[str, str]:
    """Flatten nested dicts to dotted names and text values."""
    if not isinstance(value, dict):
        return {name: str(value)}
    flattened: dict[str, str] = {}
    for key, inner in value.items():
        flattened |= _flat(inner, f"{name}.{key}" if name else str(key))
    return flattened


def _logged_params(params: Params, cell: Cell) -> dict[str, str]:
    """The params of a cell's runs for MLflow: one flat dict of text."""
    item = params.chosen_by(cell.of)
    base = params.base_model if cell.base == MAIN else params.base_models[cell.base]
    selection = item.model_dump(mode="json", exclude_none=True, exclude={"more_groups"})
    sections = {
        "selection": {**selection, "budget": item.budget or params.defaults.budget},
        "train": params.train.model_dump(mode="json"),
        "evaluate": params.evaluate.model_dump(mode="json"),
        "base_model": base.model_dump(mode="json"),
        "prepare": params.prepare.model_dump(mode="json"),
        "cluster": {"seed": params.cluster.seed},
        "template": params.template,
        "study": cell.study,
        "name": cell.name,
        "of": cell.of,
    }
    part = {"rows": cell.rows, "rounds": cell.rounds}
    sections |= {name: value for name, value in part.items() if value is not None}
    if params.preset == "lab":
        sections["lab"] = params.lab.model_dump(mode="json")
    return _flat(sections)


def _subset(path: Path, cell: Cell, seed: int) -> Data | None:
    if not path.is_file():
        return None
    rows = len(beginning(read_subset(path, cell.of), cell))
    name = f"{cell.name} seed {seed}"
    return Data(name, "training", path, file_hash(path), rows) if rows else None


def _pool() -> Data | None:
    path = layout.POOL_FILE
    if not path.is_file():
        return None
    return Data("pool", "selection", path, file_hash(path), parquet_rows(path))


def _items(suite: Suite, cell: Cell) -> Data:
    """The items of the suite: of one hash for all runs that answered the same."""
    samples = layout.RUNS / cell.path / "samples.parquet"
    digest, rows = item_digest(samples)
    return Data(suite.name, EVALUATION, samples, digest, rows)


def _size(manifest: dict[str, Any]) -> dict[str, str]:
    """What was trained, in which precision, as params: ``trained.parameters``, ..."""
    names = ("parameters", "trainable_parameters", "precision")
    return {f"trained.{name}": str(manifest[name]) for name in names if name in manifest}


def _trial_tag(manifest: dict[str, Any]) -> dict[str, str]:
    """A tag for a model that `train.max_steps` stopped early."""
    steps, whole = manifest["steps"], manifest.get("whole_steps", 0)
    return {"trial": f"{steps} of {whole} steps"} if steps < whole else {}


def _costs(
    manifest: dict[str, Any], evaluated: SeedMetrics | None, cell: Cell, seed: int
) -> dict[str, float]:
    names = ("seconds", "flops", "tokens", "steps", "peak_memory_mb")
    costs = {f"cost/train_{name}": manifest.get(name) for name in names}
    costs |= {f"cost/train_{name}_rows": manifest.get(name) for name in ("truncated", "dropped")}
    if evaluated:
        costs["cost/evaluate_seconds"] = sum(evaluated.seconds.values())
    if (described_folder(cell) / FACTS).is_file():
        spent = read_described(cell).seeds[seed].cost
        costs |= {f"cost/select_{name}": spent.get(name) for name in ("seconds", "flops")}
        costs |= {f"cost/{name}": spent.get(name) for name in SHARED_COST}
    known = {key: value for key, value in costs.items() if isinstance(value, int | float)}
    return {key: float(value) for key, value in known.items() if value == value}  # no NaN


def _parent_record(
    params: Params, suite: Suite, study: str, name: str, children: list[Record]
) -> Record:
    """A selection's runs as one: means and deviations over its seeds, and the study's tables."""
    metrics: dict[str, float] = {"seeds": float(len(children))}
    evaluated = [child for child in children if child.texts]
    for column in suite.columns:
        scores = [c.metrics[column.name] for c in evaluated if column.name in c.metrics]
        # Not run for some seed, or a mean of no shared columns: no mean over seeds.
        if len(scores) < len(evaluated) or column.of == []:
            continue
        if scores:
            metrics[column.name] = float(np.mean(scores))
        if len(scores) > 1:
            metrics[f"{column.name}_sd"] = deviation(scores)
    for cost in SUMMED:
        spent = [c.metrics[cost] for c in children if cost in c.metrics]
        if len(spent) == len(children):  # else a part would look like the whole
            metrics[cost] = sum(spent)
    # The children's params differ in the seed only.
    logged = {key: value for key, value in children[0].params.items() if key != "seed"}
    identity, tables = f"{study}/{name}", _study_files(params, study)
    walls = {name: text for child in children for name, text in child.walls.items()}
    return Record(
        identity=identity,
        key=value_hash([identity, logged, *([walls] if walls else [])]),
        state=value_hash([[c.state for c in children], [file_hash(path) for path in tables]]),
        name=name,
        tags={"kind": "selection", "study": study, "selection": name} | walls,
        params=logged,
        metrics=_headline_first(suite, metrics),
        artifacts=[(path, "study") for path in tables],
        start_ms=min(child.start_ms for child in children),
        seconds=sum(child.seconds for child in children),
    )


def _headline_first(suite: Suite, metrics: Mapping[str, float]) -> dict[str, float]:
    """MLflow's plots begin with the metric that was logged first."""
    return dict(sorted(metrics.items(), key=lambda item: item[0] != suite.headline))


def _study_files(params: Params, study: str) -> list[Path]:
    folder = layout.report_folder(params.preset, study)
    return sorted(path for path in folder.glob("*") if path.suffix in STUDY_FILES)


def _table_record(params: Params, study: str) -> Record | None:
    """A study's tables and plots as a run, with the table's text as its description."""
    files = _study_files(params, study)
    if not files:
        return None
    folder = layout.RESULTS / params.preset
    more = ("summary.json", "dvc.lock", "report.html") if study == MAIN else ()
    files += [folder / name for name in more if (folder / name).is_file()]
    files += folder.glob(f"{study}/provenance.json")
    hashes = {path.name: file_hash(path) for path in files}
    tables = {name: digest for name, digest in hashes.items() if name.endswith((".csv", ".md"))}
    text = folder / study / "table.md"
    note = text.read_text(encoding="utf-8") if text.is_file() else ""
    # A description cannot show plots.
    note = "".join(line for line in note.splitlines(True) if not line.startswith("!["))
    identity = f"{study}/table"
    summary = read_json(folder / "summary.json") if "summary.json" in hashes else {}
    suite = load_suite(params.evaluate.suite)
    return Record(
        identity=identity,
        key=value_hash([identity, tables]),
        state=value_hash([hashes]),
        name=f"table: {study}",
        tags={"kind": "table", "study": study, "mlflow.note.content": note[:NOTE_LIMIT]},
        metrics={
            f"{column}/{name}": float(value)
            for name, row in summary.items()
            for column, value in row.items()
            if is_headline(suite, column) and value != NOT_RUN
        },
        artifacts=[(path, "") for path in files],
        start_ms=int(files[0].stat().st_mtime * 1000),
    )
