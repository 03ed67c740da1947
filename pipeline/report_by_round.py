"""Write a study by round: tables and plots; what params no longer name leaves its folders."""

from harness.params import load_params
from pipeline.stage import main


def run(study: str) -> None:
    """Write a study by round: tables and plots; what params no longer name leaves its folders."""
    from harness.clustering import prune_clusterings
    from harness.report import prune_cells
    from harness.round_report import prune_rounds, write_round_report

    params = load_params()
    prune_cells(params, study)
    prune_rounds(params)
    prune_clusterings(params.cluster.k)
    write_round_report(params, study)


if __name__ == "__main__":
    main(run, ("study", "scorers or rounds"))
