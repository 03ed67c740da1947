"""Evaluate a cell's models on the suite, item by item."""

import os

from harness.params import load_params
from pipeline.code import code_hash
from pipeline.stage import CELL, main


def run(study: str, selection: str, group: str) -> None:
    """Evaluate a cell's models on the suite, item by item."""
    from harness.cell_evaluation import evaluate_cell

    stage = os.environ.get("DVC_STAGE", "evaluate").replace("evaluate", "train")
    evaluate_cell(load_params(), study, selection, group, stage, code_hash("evaluate"))


if __name__ == "__main__":
    main(run, *CELL)
