"""A suite of three benchmarks and their mean, for tests of what reads suites."""

from pathlib import Path

from harness.suites import SUITES

YAML = """
name: toy
title: Three toy benchmarks
headline: avg
columns:
"""
COLUMN = """
  - {{name: {name}, label: {label}, kind: lm_eval, task: {name}.yaml, metric: "acc,none",
     higher_is_better: true, chance: 25.0}}
"""
MEAN = "  - {name: avg, label: Average, kind: mean, of: [one, two, three], higher_is_better: true}\n"


def add_toy(folder: Path) -> None:
    """Write the suite and name it in SUITES as ``toy``."""
    folder.mkdir(parents=True)
    text = YAML
    for name in ("one", "two", "three"):
        text += COLUMN.format(name=name, label=name.capitalize())
        (folder / f"{name}.yaml").write_text(f"task: {name}\n")
    (folder / "suite.yaml").write_text(text + MEAN)
    SUITES["toy"] = folder
