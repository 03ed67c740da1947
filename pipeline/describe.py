"""Measure what each subset of a cell is, before any training."""

from harness.params.params import load_params
from pipeline.stage import CELL, main, named_cell


def run(name: str, group: str) -> None:
    """Measure what each subset of a cell is, before any training."""
    from harness.describing import describe_cell

    params = load_params()
    describe_cell(params, named_cell(params, name, group))


if __name__ == "__main__":
    main(run, *CELL)
