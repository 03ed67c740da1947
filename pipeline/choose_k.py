"""Choose the number of clusters by silhouette, before any training."""

from harness.params.params import load_params
from pipeline.stage import main


def run(embedding: str) -> None:
    """Choose the number of clusters by silhouette, before any training."""
    from harness.clustering.choose_k import choose_k, prune_clusterings

    params = load_params()
    choose_k(embedding, params.cluster.k)
    prune_clusterings(list(params.embeddings), params.cluster.k)


if __name__ == "__main__":
    main(run, ("embedding", "one of params.yaml: embeddings"))
