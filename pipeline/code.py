"""The hash of a stage's code: kept results of older code are not reused."""

from functools import cache
from pathlib import Path

from harness.common.files import file_hash, folder_hash, value_hash
from harness.common.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parents[1]  # a world runs in another folder


@cache
def code_hash(stage: str) -> str:
    """The hash of the source files and folders that dvc.yaml lists as a stage's dependencies.

    Args:
        stage: a name in dvc.yaml, without the names of a cell.
    """
    entry = read_yaml(ROOT / "dvc.yaml")["stages"][stage]
    deps = entry.get("do", entry)["deps"]
    # What a template fills in (a suite, a sampler) is hashed by its own stage.
    code = [
        ROOT / dep for dep in deps if dep.startswith(("harness/", "pipeline/")) and "$" not in dep
    ]
    return value_hash([folder_hash(p) if p.is_dir() else file_hash(p) for p in code])
