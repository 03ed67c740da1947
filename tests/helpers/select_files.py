"""A pool, an embedding of it and the command that chooses from them, for the tests of select."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.common.errors import InputError
from harness.select_command.command import run
from tests.helpers.small_repo import ROOT, environment

ROWS = 40


def pool_rows(n: int = ROWS) -> list[dict[str, Any]]:
    """Instances whose responses are of different lengths."""
    return [
        {"instruction": f"Say number {i}.", "output": "é" * (1 + 7 * i % 41), "more": {"i": i}}
        for i in range(n)
    ]


def vectors(n: int = ROWS, d: int = 8) -> np.ndarray:
    """Unit vectors about four centres, (n, d) float32."""
    rng = np.random.default_rng(0)
    x = 3 * rng.normal(size=(4, d))[np.arange(n) % 4] + rng.normal(size=(n, d))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def embedding(folder: Path, n: int = ROWS) -> Path:
    """The vectors as a file."""
    path = folder / "my.npy"
    np.save(path, vectors(n))
    return path


def pool(folder: Path, n: int = ROWS) -> Path:
    """The rows as JSON lines."""
    path = folder / "my.jsonl"
    texts = [json.dumps(row, ensure_ascii=False) + "\n" for row in pool_rows(n)]
    path.write_text("".join(texts), encoding="utf-8")
    return path


def words(path: Path, out: Path, sampler: str = "random", *more: str, budget: object = 5) -> list:
    """The words of a command."""
    given = ["--pool", path, "--sampler", sampler, "--budget", budget, "--out", out]
    return [*map(str, given), "--cache", str(out.parent / "cache"), *more]


def select(path: Path, out: Path, sampler: str = "random", *more: str, budget: object = 5) -> str:
    """Run the command in this process; what it prints."""
    said: list[str] = []
    run(words(path, out, sampler, *more, budget=budget), said.append)
    return "\n".join(said)


def refused(path: Path, out: Path, *rest: str, budget: object = 5) -> str:
    """Run a command that must be refused; its one line, with nothing written."""
    before = {p: p.read_bytes() for p in out.parent.rglob("*") if p.is_file()}
    with pytest.raises(InputError) as caught:
        select(path, out, *rest, budget=budget)
    left = {p: p.read_bytes() for p in out.parent.rglob("*") if p.is_file()}
    assert {p: data for p, data in left.items() if "cache" not in p.parts} == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def chosen(out: Path) -> list[int]:
    """The numbers of the chosen rows of `pool_rows`, from a subset in JSON lines."""
    return [json.loads(line)["more"]["i"] for line in out.read_text().splitlines()]


def shell(folder: Path, *given: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m harness` in a folder, whose hidden home keeps its caches."""
    home = {"HOME": str(folder / ".home"), "HF_HOME": str(folder / ".home/hf")}
    env = {**environment(), "PYTHONPATH": str(ROOT), **home, **more}
    command = [sys.executable, "-m", "harness", *given]
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False
    )
