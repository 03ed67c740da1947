"""Choose the number of clusters by silhouette, before any training."""

from harness.params import load_params
from pipeline.stage import main


def run() -> None:
    """Choose the number of clusters by silhouette, before any training."""
    from harness.clustering import choose_k, prune_clusterings

    grid = load_params().cluster.k
    choose_k(grid)
    prune_clusterings(grid)


if __name__ == "__main__":
    main(run)
