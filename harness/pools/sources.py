"""Where rows come from; POOLS has the kinds of source.

Your own dataset needs no code: name its file or hub id under ``prepare.sources``. A new kind of
source is one more function here.
"""

from collections.abc import Callable

from harness.common.errors import InputError
from harness.common.files import file_hash, folder_hash
from harness.common.locations import kind_of, locate
from harness.common.schemas import PoolRows
from harness.params.lab import LabParams
from harness.params.limits import DEFAULT
from harness.params.source import Source
from harness.pools.file_reader import check_folder, read_file
from harness.pools.hub import cached_commit, dataset_rows, open_dataset, resolve
from harness.pools.raw_rows import Loaded, RawRow


def load(source: Source, lab: LabParams | None = None) -> Loaded:
    """The rows of a source, whatever kind its path is of."""
    return POOLS[kind_of(source.path)](source, lab)


def source_hash(path: str) -> str | None:
    """SHA-256 of a local source's bytes; None where it is not a local file or folder."""
    kind = kind_of(path)
    if kind == "folder":
        return folder_hash(locate(path))
    return file_hash(locate(path)) if kind == "file" and locate(path).is_file() else None


def from_file(source: Source, lab: LabParams | None) -> Loaded:
    """A JSON, JSONL or Parquet file."""
    place = locate(source.path)
    rows = read_file(place, source.path, source.limits or DEFAULT)
    return Loaded(source.path, rows, None, {"sha256": source_hash(source.path)})


def from_folder(source: Source, lab: LabParams | None) -> Loaded:
    """A folder laid out like a dataset repository of the hub, read by the same code."""
    place, limits = locate(source.path), source.limits or DEFAULT
    check_folder(place, source.path, limits)
    data = open_dataset(str(place), source, None)
    limits.check("rows", len(data), source.path, what="folder")
    card = {"sha256": source_hash(source.path), "split": source.split}
    return Loaded(source.path, dataset_rows(data), len(data), card, data)


def from_hub(source: Source, lab: LabParams | None) -> Loaded:
    """A dataset of the Hugging Face hub, at a commit that the data card names."""
    known = resolve(source)
    data = open_dataset(source.path, source, known.get("revision"))
    known = known or {"revision": cached_commit(data, source)}
    card = {**known, "split": source.split}
    return Loaded(source.path, dataset_rows(data), len(data), card, data)


def from_lab(source: Source, lab: LabParams | None) -> Loaded:
    """The generated world, with its truth, pretraining text, benchmarks and preferences."""
    from harness.lab.world import build_preferences, build_world

    if lab is None:
        raise InputError("lab: a generated pool needs the `lab` section of params.yaml")
    world = build_world(lab)
    pool = PoolRows(world.pool)
    pairs = zip(pool.ids, pool.conversations(), strict=True)
    rows = [RawRow(i, {"id": name, "messages": one}) for i, (name, one) in enumerate(pairs, 1)]
    card = {"generated_by": "harness.lab", "seed": lab.seed}
    return Loaded(
        "lab",
        rows,
        len(rows),
        card,
        truth=world.truth,
        pretraining=world.pretraining,
        benchmarks=world.benchmarks,
        preferences=build_preferences(lab),
    )


POOLS: dict[str, Callable[[Source, LabParams | None], Loaded]] = {
    "lab": from_lab,
    "file": from_file,
    "folder": from_folder,
    "hub": from_hub,
}
