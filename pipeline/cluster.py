"""Cluster the pool's embeddings by seeded k-means."""

from harness import layout
from harness.params import load_params
from pipeline.stage import main


def run(embedding: str, k: str) -> None:
    """Cluster the pool's embeddings by seeded k-means."""
    from harness.clustering import kmeans, write_clustering
    from harness.embedding_files import read_embedding
    from harness.files import write_json

    params = load_params()
    found = kmeans(read_embedding(embedding, layout.POOL_FILE), int(k), params.cluster.seed)
    facts = write_clustering(layout.cluster_folder(embedding, int(k)), found)
    write_json(layout.silhouette_file(embedding, int(k)), facts)


if __name__ == "__main__":
    main(
        run,
        ("embedding", "one of params.yaml: embeddings"),
        ("k", "the number of clusters, one of params.yaml: cluster.k"),
    )
