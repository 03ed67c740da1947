"""Cut the beginning off a selection's subsets: its first rounds, or so many rows."""

from harness.params import load_params
from pipeline.stage import main


def run(name: str) -> None:
    """Cut the beginning off a selection's subsets: its first rounds, or so many rows."""
    from harness.cutting import write_cuts

    write_cuts(load_params(), name)


if __name__ == "__main__":
    main(run, ("name", "a name in params.yaml: cuts"))
