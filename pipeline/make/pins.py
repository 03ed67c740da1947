"""Commits of what params take from the hub: conf/pins.yaml, read and added to."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from harness.common.errors import InputError
from harness.common.files import replacing
from harness.common.locations import on_hub
from harness.common.yaml_files import read_yaml, yaml_text
from pipeline.make.yaml_edits import merged, yaml_of

Kind = Literal["models", "datasets"]
PINS = Path("conf") / "pins.yaml"
FIELDS = {"base_model": "source", "reward_model": "source"}
TABLES = {"base_models": "source", "embeddings": "model", "scorers": "model"}
TABLES |= {"selections_rounds": "model"}


class HubId(NamedTuple):
    """A name of the hub in params: its place, as keys, and the revision that stands there."""

    kind: Kind
    name: str
    place: tuple[str, ...]
    revision: str | None


def hub_ids(values: Mapping[str, Any]) -> Iterator[HubId]:
    """Every id of the hub that params name, with the section that its `revision` stands in."""
    for section, field in FIELDS.items():
        yield from _found("models", values.get(section), field, (section,))
    for table, field in TABLES.items():
        for key, item in (values.get(table) or {}).items():
            yield from _found("models", item, field, (table, str(key)))
    for key, item in ((values.get("prepare") or {}).get("sources") or {}).items():
        yield from _found("datasets", item, "path", ("prepare", "sources", str(key)))


def _found(kind: Kind, item: object, field: str, place: tuple[str, ...]) -> Iterator[HubId]:
    name = item.get(field) if isinstance(item, dict) else None
    if isinstance(item, dict) and isinstance(name, str) and on_hub(name):
        yield HubId(kind, name, place, item.get("revision"))


def read_pins(root: Path) -> dict[Kind, dict[str, str]]:
    """The commits by id; none where there is no file."""
    values = (read_yaml(root / PINS) if (root / PINS).is_file() else None) or {}
    kinds: tuple[Kind, ...] = ("models", "datasets")
    tables = [values, *(values.get(kind) or {} for kind in kinds if isinstance(values, dict))]
    if not all(isinstance(one, dict) for one in tables):
        rule = "models and datasets are tables of hub ids and their commits"
        raise InputError(f"{root / PINS}: {rule}; git checkout {PINS}")
    pins: dict[Kind, dict[str, str]] = {kind: dict(values.get(kind) or {}) for kind in kinds}
    for kind, listed in pins.items():
        for name, commit in listed.items():
            if not isinstance(commit, str):
                rule = f"{kind}.{name}: {commit!r} is no commit; quote it, or make pin again"
                raise InputError(f"{root / PINS}: {rule}")
    return pins


def pinned(text: str, values: Mapping[str, Any], pins: Mapping[Kind, Mapping[str, str]]) -> str:
    """A text of params, whose values are given, with the commits of what it leaves open."""
    changes: dict[str, Any] = {}
    for one in hub_ids(values):
        commit = pins[one.kind].get(one.name)
        # An entry that begins with `<<: *base_model` would have the revision of another model.
        if one.revision is None and (commit or one.place[0] == "base_models"):
            node = changes
            for key in one.place:
                node = node.setdefault(key, {})
            node["revision"] = commit
    return merged(text, yaml_of(changes)) if changes else text


def write_pins(root: Path, commits: Mapping[Kind, Mapping[str, str]]) -> None:
    """Add commits to conf/pins.yaml; what stands there stays as it is."""
    added = {kind: dict(listed) for kind, listed in commits.items() if listed}
    path = root / PINS
    before = yaml_text(path) if path.is_file() else "models: {}\ndatasets: {}\n"
    if added:
        with replacing(path) as temporary:
            temporary.write_text(merged(before, yaml_of(added)), encoding="utf-8")


def resolve(kind: Kind, name: str) -> str:
    """The commit of the hub's main branch; InputError where the hub does not say."""
    from huggingface_hub import HfApi

    from harness.pools.hub import RULES

    ask: Any = HfApi().model_info if kind == "models" else HfApi().dataset_info
    try:
        return str(ask(name, timeout=20).sha)
    except Exception as error:
        rule = next((RULES[c.__name__] for c in type(error).__mro__ if c.__name__ in RULES), None)
        if rule is None:
            raise
        raise InputError(f"{name}: {rule.format(None)}") from None


def pin(root: Path, values: Mapping[str, Any]) -> Iterator[str]:
    """Resolve what params leave open and conf/pins.yaml lacks, write it there; a line each.

    Raises InputError for the first that the hub does not know; those before it are written.
    """
    known = read_pins(root)
    for one in {(i.kind, i.name): i for i in hub_ids(values) if i.revision is None}.values():
        if one.name not in known[one.kind]:
            commit = resolve(one.kind, one.name)
            write_pins(root, {one.kind: {one.name: commit}})
            yield f"{PINS}: {one.name} = {commit}"


def record_pins(root: Path) -> list[str]:
    """Pin what params.yaml takes from the hub before it is first used; a line each, if any.

    Where the hub is out of reach, what is in its cache here is used, and a line says so.
    """
    path = root / "params.yaml"
    values = read_yaml(path)
    open_ids = [one for one in hub_ids(values or {}) if one.revision is None]
    if not open_ids:
        return []
    lines = []
    try:
        lines += pin(root, values)
    except InputError as error:
        lines.append(f"not pinned: {error}")
    text = yaml_text(path)
    if (new := pinned(text, values, read_pins(root))) != text:
        with replacing(path) as temporary:
            temporary.write_text(new, encoding="utf-8")
    return lines
