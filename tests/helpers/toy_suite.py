"""A suite of three benchmarks and their mean, for tests of what reads suites."""

from pathlib import Path

HEAD = """
name: toy
title: Three toy benchmarks
headline: avg
columns:
"""
COLUMN = """
  - {{name: {name}, label: {label}, kind: lm_eval, task: {name}.yaml, metric: "acc,none",
     higher_is_better: true, chance: 25.0}}
"""
MEAN = (
    "  - {name: avg, label: Average, kind: mean, of: [one, two, three], higher_is_better: true}\n"
)


def write_toy_suite(folder: Path) -> Path:
    """Write the suite's files; give the folder to SUITES as ``toy``."""
    folder.mkdir(parents=True)
    text = HEAD
    for name in ("one", "two", "three"):
        text += COLUMN.format(name=name, label=name.capitalize())
        (folder / f"{name}.yaml").write_text(f"task: {name}\n")
    (folder / "suite.yaml").write_text(text + MEAN)
    return folder
