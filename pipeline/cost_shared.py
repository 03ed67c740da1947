"""Gather what was made once for many selections, and what it cost."""

from harness.params.params import load_params
from harness.params.pruning import prune_shared
from pipeline.stage import main


def run() -> None:
    """Gather what was made once for many selections, and what it cost."""
    from harness.describing.shared_costs import write_shared_costs

    params = load_params()
    prune_shared(list(params.every_embedding), params.cluster.k)
    write_shared_costs(params)


if __name__ == "__main__":
    main(run)
