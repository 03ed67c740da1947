"""Fine-tune the base model on a selection's subsets, one model a seed."""

from harness import layout
from harness.params import load_params
from pipeline.code import code_hash
from pipeline.stage import CELL, main


def run(study: str, selection: str, group: str) -> None:
    """Fine-tune the base model on a selection's subsets, one model a seed."""
    from harness.cell_training import train_cell

    params = load_params()
    subsets = layout.subset_folder(params.home(selection), selection) / group
    train_cell(params, study, selection, group, subsets, code_hash("train"))


if __name__ == "__main__":
    main(run, *CELL)
