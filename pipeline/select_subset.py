"""Choose a selection's subsets, one a seed; reads no planted truth."""

from harness.common import layout
from harness.common.schemas import read_pool
from harness.params.params import load_params
from pipeline.stage import entry, main


def run(selection: str) -> None:
    """Choose a selection's subsets, one a seed; reads no planted truth."""
    from harness.clustering.files import read_clustering
    from harness.embedding.files import read_embedding
    from harness.selecting.budget import read_costs
    from harness.selecting.quality import read_quality
    from harness.selecting.subsets import SamplerInputs, choose_with, write_subsets

    params = load_params()
    item = entry(params.every_selection, selection, "selections", "selection")
    pool = read_pool()
    ids = pool.ids
    embeddings = read_embedding(item.embedding, layout.POOL_FILE)
    costs = read_costs(params.budget_unit, len(pool))
    quality, notes = read_quality(item, ids)
    clustering = read_clustering(layout.cluster_folder(item.embedding, item.k), len(pool))
    inputs = SamplerInputs(pool, embeddings, clustering, costs, quality, quality_notes=notes)
    choose = choose_with(item, inputs, params.absolute_budget(selection, int(costs.sum())))
    write_subsets(params, selection, ids, choose, clustering, quality)


if __name__ == "__main__":
    main(run, ("selection", "a name in params.yaml: selections, selections_scored"))
