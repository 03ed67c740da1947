"""DVC's lock file: what each stage was run with, and a copy beside the results."""

import re
import shutil
from pathlib import Path
from typing import Any

from harness.common.files import replacing
from harness.common.yaml_files import check_aliases

LOCK = Path("dvc.lock")


def stage_texts(lock: str) -> list[str]:
    """A lock's text in parts: what stands above its stages, then each stage."""
    return re.split(r"^(?=  \S)", lock, flags=re.MULTILINE)


def read_stages(path: Path = LOCK, only: str = "") -> dict[str, dict[str, Any]]:
    """The entries of the lock by stage, or that of a stage alone.

    None without a lock, YAMLError for a half-written one.
    """
    import yaml

    if not path.is_file():
        return {}
    head, *stages = stage_texts(path.read_text(encoding="utf-8"))
    if only:
        stages = [text for text in stages if text.startswith(f"  {only}:\n")]
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    reader = loader("".join([head, *stages]))
    try:
        node = reader.get_single_node()
        check_aliases(node, path)
        content = None if node is None else reader.construct_document(node)
    finally:
        reader.dispose()
    return (content.get("stages") or {}) if isinstance(content, dict) else {}


def copy_lock(folder: Path) -> None:
    """Put a copy of the lock beside the results it led to, where there is one and it differs.

    To be called after the report has ended: DVC records a stage only then.
    """
    copy = folder / LOCK.name
    if not LOCK.is_file() or (copy.is_file() and copy.read_bytes() == LOCK.read_bytes()):
        return
    with replacing(copy) as temporary:
        shutil.copyfile(LOCK, temporary)


def recorded_params() -> dict[str, dict[str, Any]]:
    """What DVC recorded, by output: the params each output was made with; empty without a lock."""
    recorded: dict[str, dict[str, Any]] = {}
    for stage in read_stages().values():
        for out in stage.get("outs", []):
            recorded[out["path"]] = (stage.get("params") or {}).get("params.yaml") or {}
    return recorded
