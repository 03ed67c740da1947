"""Choose a selection's subsets, one a seed; reads no planted truth."""

from harness import layout
from harness.params import load_params
from harness.schemas import POOL, read_frame
from pipeline.stage import main


def run(selection: str) -> None:
    """Choose a selection's subsets, one a seed; reads no planted truth."""
    from harness.clustering import read_clustering
    from harness.embedding_files import read_embedding
    from harness.selecting import Inputs, choose_with, write_subsets

    params = load_params()
    item = params.selections[selection]
    pool = read_frame(layout.POOL_FILE, POOL)
    embeddings = read_embedding(layout.EMBEDDINGS, params.embedding, layout.POOL_FILE)
    clustering = read_clustering(layout.cluster_folder(item.k), len(pool))
    inputs = Inputs(pool, embeddings, clustering)
    choose = choose_with(item, inputs, params.rows_budget(len(pool)))
    write_subsets(params, selection, pool["id"].tolist(), choose, clustering)


if __name__ == "__main__":
    main(run, ("selection", "a selection named in params.yaml: selections"))
