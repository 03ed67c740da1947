"""Write what each subset of a study is, before any training: tables, bars, a map."""

from harness.params import load_params
from pipeline.stage import main


def run(study: str) -> None:
    """Write what each subset of a study is, before any training: tables, bars, a map."""
    from harness.clustering import prune_clusterings
    from harness.report import prune_cells
    from harness.selection_report import write_selection_report

    params = load_params()
    for name in params.studies:
        prune_cells(params, name)
    prune_clusterings(params.cluster.k)
    write_selection_report(params, study)


if __name__ == "__main__":
    main(run, ("study", "a study of params.yaml: studies"))
