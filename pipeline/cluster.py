"""Cluster the pool's embeddings by seeded k-means."""

from harness import layout
from harness.params import load_params
from pipeline.stage import main


def run(k: str) -> None:
    """Cluster the pool's embeddings by seeded k-means."""
    from harness.clustering import kmeans, write_clustering
    from harness.embedding_files import read_embedding
    from harness.files import write_json

    params = load_params()
    embeddings = read_embedding(layout.EMBEDDINGS, params.embedding, layout.POOL_FILE)
    found = kmeans(embeddings, int(k), params.cluster.seed)
    facts = write_clustering(layout.cluster_folder(int(k)), found)
    write_json(layout.silhouette_file(int(k)), facts)


if __name__ == "__main__":
    main(run, ("k", "the number of clusters, one of params.yaml: cluster.k"))
