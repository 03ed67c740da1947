"""Fine-tune a base model on a cell's subsets, one model a seed."""

from pipeline.code import code_hash
from pipeline.stage import CELL, main, named_cell


def run(name: str, group: str) -> None:
    """Fine-tune a base model on a cell's subsets, one model a seed."""
    from harness.training.cell import train_cell

    train_cell(*named_cell(name, group), code_hash("train"))


if __name__ == "__main__":
    main(run, *CELL)
