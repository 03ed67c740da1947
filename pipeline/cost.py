"""Write what each instance costs in a unit of the budget: rows, or tokens."""

from harness.common import layout
from harness.common.files import replacing
from harness.common.schemas import read_pool
from pipeline.stage import main


def run(unit: str) -> None:
    """Write what each instance costs in a unit of the budget: rows, or tokens."""
    import numpy as np

    from harness.selecting.costs import COSTS

    costs = COSTS[unit](read_pool())
    with replacing(layout.costs_file(unit)) as temporary:
        np.save(temporary, costs)


if __name__ == "__main__":
    main(run, ("unit", "rows or tokens"))
