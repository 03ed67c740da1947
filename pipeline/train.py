"""Fine-tune the base model on a selection's subsets, one model a seed."""

from harness import layout
from harness.params import load_params
from pipeline.stage import main


def run(study: str, selection: str, group: str) -> None:
    """Fine-tune the base model on a selection's subsets, one model a seed."""
    from harness.cells import train_cell

    params = load_params()
    own = params.references.get(selection)
    subsets = layout.subset_folder(own.study if own else "main", selection) / group
    train_cell(params, study, selection, group, subsets)


STUDY = ("study", "the study whose cell this is, as in params.yaml: studies")
SELECTION = ("selection", "a selection or reference of that study")
GROUP = ("group", "a seed group, as s0_1_2")

if __name__ == "__main__":
    main(run, STUDY, SELECTION, GROUP)
