"""Cluster the pool's embeddings by seeded k-means."""

import time

from harness.common import layout
from harness.params.params import load_params
from pipeline.stage import main


def run(embedding: str, k: str) -> None:
    """Cluster the pool's embeddings by seeded k-means."""
    from harness.clustering.files import write_clustering
    from harness.clustering.kmeans import kmeans
    from harness.common.timings import write_timed
    from harness.embedding.files import read_embedding

    params = load_params()
    vectors, begun = read_embedding(embedding, layout.POOL_FILE), time.perf_counter()
    clustering = kmeans(vectors, int(k), params.cluster.seed)
    seconds = round(time.perf_counter() - begun, 2)
    facts = write_clustering(layout.cluster_folder(embedding, int(k)), clustering)
    write_timed(layout.silhouette_file(embedding, int(k)), {**facts, "seconds": seconds})


if __name__ == "__main__":
    main(
        run,
        ("embedding", "one of params.yaml: embeddings, embeddings_states"),
        ("k", "the number of clusters, one of params.yaml: cluster.k"),
    )
