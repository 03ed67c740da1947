"""Write what each subset of a study is, before any training: tables, bars, a map."""

from harness.params import load_params
from pipeline.stage import main


def run(study: str) -> None:
    """Write what each subset of a study is, before any training: tables, bars, a map."""
    from harness.report import prune_cells
    from harness.selection_report import prune_clusterings, write_selection_report

    params = load_params()
    for name in params.studies:
        prune_cells(params, name)
    prune_clusterings(params)
    write_selection_report(params, study)


if __name__ == "__main__":
    main(run, ("study", "a study of params.yaml: studies"))
