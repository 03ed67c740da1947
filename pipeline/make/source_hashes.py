"""Hashes of what params.yaml names and dvc.yaml cannot: pool, chat templates, files of scores.

Each stands in params.yaml beside the name it is of, so that DVC sees when the file is edited.
"""

from functools import reduce
from pathlib import Path
from typing import Any

from harness.common.errors import InputError
from harness.common.files import file_hash, replacing
from harness.common.yaml_files import read_yaml
from pipeline.make.yaml_edits import merged, yaml_of


def check_pool(pool: str) -> None:
    """InputError where a pool is neither a hub id nor a file or folder that can be read."""
    from harness.common.locations import kind_of, locate

    if kind_of(pool) != "file":
        return
    path = locate(pool)
    rule = ""
    if not path.is_file():
        rule = "not a regular file" if path.exists() else "no such file"
    else:
        try:
            with path.open("rb") as file:
                file.read(1)
        except OSError as error:
            rule = f"cannot be read ({error.strerror})"
    if rule:
        shown = " ".join(pool.split())  # a line break in a name would make two lines of it
        raise InputError(
            f"{shown}: {rule}; POOL is a JSON, JSONL or Parquet file, or a hub id (owner/name)"
        )


def record_pool(root: Path, pool: str | None = None) -> list[str]:
    """Record a pool's name and hash; without ``pool``, renew the hash of the one named there."""
    from harness.pools.sources import source_hash

    prepare = _params(root).get("prepare") or {}
    if pool is None and prepare.get("source_sha256") is None:
        return []
    source = pool or str(prepare["source"])
    digest = source_hash(source)
    if pool is None and digest is None:
        return []  # the stage that reads the file says that it is gone
    same = source == prepare.get("source") and prepare.get("source_sha256") is not None
    if not _record(root, "prepare", {"source": source, "source_sha256": digest}):
        return []
    return [f"params.yaml: prepare.source = {source}" + (", which has been edited" if same else "")]


def record_templates(root: Path) -> list[str]:
    """Record the hash of the chat template of each base model that is a folder or a hub id.

    Our own templates are among the deps of the stages. InputError where a template is not there, or
    would be refused later.
    """
    from harness.models.sources import source_tokenizer
    from harness.pools.rendering import template_hash

    params = _params(root)
    further = params.get("base_models") or {}
    models = {"base_model": params.get("base_model") or {}}
    models |= {f"base_models.{name}": model for name, model in further.items()}
    lines = []
    for section, model in models.items():
        source, digest = str(model.get("source", "scratch")), None
        if source != "scratch":
            tokenizer = source_tokenizer(source, model.get("revision"), str(params["template"]))
            digest = template_hash(tokenizer)
        # In `prepare`, too: DVC compares sections, and a key that is not there stops a stage.
        sections = ["prepare", section] if section == "base_model" else [section]
        changed = [
            _record(root, one, {"source": None, "template_sha256": digest}) for one in sections
        ]
        if any(changed):
            lines.append(f"params.yaml: template_sha256, of the chat template of {source}")
    return lines


def record_score_files(root: Path) -> list[str]:
    """Record the hash of each file of scores that a scorer `column` reads."""
    from harness.common.locations import locate

    lines = []
    for name, item in (_params(root).get("scorers") or {}).items():
        if item["scorer"] != "column" or not locate(item["file"]).is_file():
            continue  # the stage that reads the file says that it is gone
        values = {"file": None, "file_sha256": file_hash(locate(item["file"]))}
        if _record(root, f"scorers.{name}", values):
            lines.append(f"params.yaml: scorers.{name}.file_sha256, of {item['file']}")
    return lines


def _params(root: Path) -> dict[str, Any]:
    values = read_yaml(root / "params.yaml")
    return values if isinstance(values, dict) else {}


def _record(root: Path, section: str, values: dict[str, str | None]) -> bool:
    """Set values in a section (``a.b``: in b of a) of params.yaml; whether any was another.

    The first says what the others follow: None leaves it as it is. A later None is not added.
    """
    names = section.split(".")
    present = reduce(lambda node, name: node.get(name) or {}, names, _params(root))
    first, *others = values
    wanted = {first: values[first] or present.get(first)}
    wanted |= {key: values[key] for key in others if key in present or values[key] is not None}
    if all(present.get(key) == value for key, value in wanted.items()):
        return False
    changes: dict[str, Any] = wanted
    for name in reversed(names[1:]):
        changes = {name: changes}
    path = root / "params.yaml"
    text = merged(path.read_text("utf-8"), yaml_of({names[0]: changes}))
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return True
