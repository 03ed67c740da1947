"""Write a report: of the main table, of its subsets before any training, or of another study."""

from harness.common.errors import InputError, nearest
from harness.params.params import MAIN, load_params
from harness.params.pruning import SUBSETS, prune
from pipeline.stage import main


def run(name: str) -> None:
    """Write a report; what params no longer name leaves its folders."""
    from harness.clustering.choose_k import prune_clusterings
    from harness.report.curves.write import write_curves
    from harness.report.scores.write import write_scores
    from harness.report.sensitivity.write import write_sensitivity
    from harness.report.subsets.write import write_subset_report

    params = load_params()
    prune(params)
    prune_clusterings(list(params.embeddings), params.cluster.k)
    if name == SUBSETS:
        write_subset_report(params)
        return
    if name not in params.every_study:
        raise InputError(f"studies: none is called {name!r}{nearest(name, params.every_study)}")
    kind = params.studies[name].report if name != MAIN else "scores"
    write = {"scores": write_scores, "curves": write_curves, "sensitivity": write_sensitivity}
    write[kind](params, name)


if __name__ == "__main__":
    main(run, ("name", "main, subsets, or one of params.yaml: studies"))
