"""Evaluate a cell's models on the suite, item by item."""

from pipeline.code import code_hash
from pipeline.stage import CELL, main, named_cell


def run(name: str, group: str) -> None:
    """Evaluate a cell's models on the suite, item by item."""
    from harness.evaluation.cell import evaluate_cell

    evaluate_cell(*named_cell(name, group), code_hash("evaluate"))


if __name__ == "__main__":
    main(run, *CELL)
