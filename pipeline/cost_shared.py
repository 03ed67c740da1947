"""Gather what was made once for many selections, and what it cost."""

from harness.params.params import load_params
from pipeline.stage import main


def run() -> None:
    """Gather what was made once for many selections, and what it cost."""
    from harness.describing.shared_costs import write_shared_costs

    write_shared_costs(load_params())


if __name__ == "__main__":
    main(run)
