"""A folder of presets with few keys, for tests of `make preset`."""

from pathlib import Path

LAB = "# the lab\npreset: lab\nbudget: 0.1   # a share\nprepare: {source: lab}\n"
OWN = "preset: own\nbudget: 0.2\nprepare:\n  source: pool.jsonl   # yours\n  rows: all\n"


def write_conf(folder: Path) -> None:
    """Write ``conf/`` and the params of its preset ``lab``."""
    (folder / "conf").mkdir()
    (folder / "conf" / "base.yaml").write_text("preset: base\n")
    (folder / "conf" / "lab.yaml").write_text(LAB)
    (folder / "conf" / "own.yaml").write_text(OWN)
    (folder / "conf" / "other.yaml").write_text("pins: {}\n")
    (folder / "params.yaml").write_text(LAB)
