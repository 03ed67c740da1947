"""Measure what each subset of a cell is, before any training."""

from pipeline.stage import CELL, main, named_cell


def run(name: str, group: str) -> None:
    """Measure what each subset of a cell is, before any training."""
    from harness.describing import describe_cell

    describe_cell(*named_cell(name, group))


if __name__ == "__main__":
    main(run, *CELL)
