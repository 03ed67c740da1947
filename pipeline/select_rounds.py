"""Select in rounds: train on the rows taken so far, ask that model, take more; a subset a seed."""

from harness.common import layout
from harness.common.files import file_hash, value_hash
from harness.common.schemas import read_pool
from harness.params.params import load_params
from pipeline.code import ROOT, code_hash
from pipeline.stage import entry, main


def run(selection: str) -> None:
    """Select in rounds: train on the rows taken so far, ask that model, take more."""
    import numpy as np

    from harness.clustering.files import read_clustering
    from harness.embedding.files import read_embedding
    from harness.rounds.select import write_round_subsets
    from harness.selecting.quality import read_quality
    from harness.selecting.subsets import SamplerInputs

    params = load_params()
    item = entry(params.selections_rounds, selection, "selections_rounds", "selection")
    pool = read_pool()
    embeddings = read_embedding(item.embedding, layout.POOL_FILE)
    quality, notes = read_quality(item, pool.ids)
    clustering = read_clustering(layout.cluster_folder(item.embedding, item.k), len(pool))
    rows = np.ones(len(pool), dtype=np.int64)
    inputs = SamplerInputs(pool, embeddings, clustering, rows, quality, quality_notes=notes)
    budget = params.absolute_budget(selection, len(pool))
    system = file_hash(ROOT / "harness" / "round_systems" / f"{item.sampler}.py")
    code = value_hash([code_hash("select_rounds"), system])
    write_round_subsets(params, selection, inputs, budget, code)


if __name__ == "__main__":
    main(run, ("selection", "a name in params.yaml: selections_rounds"))
