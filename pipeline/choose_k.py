"""Choose the number of clusters by silhouette, before any training."""

from harness.params.params import load_params
from harness.params.pruning import prune_shared
from pipeline.stage import main


def run(embedding: str) -> None:
    """Choose the number of clusters by silhouette, before any training."""
    from harness.clustering.choose_k import choose_k

    params = load_params()
    choose_k(embedding, params.cluster.k)
    prune_shared(list(params.every_embedding), params.cluster.k)


if __name__ == "__main__":
    main(run, ("embedding", "one of params.yaml: embeddings, embeddings_states"))
