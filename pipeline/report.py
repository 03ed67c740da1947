"""Write a study's tables and plots; cells that the params no longer name leave its folder."""

from harness.params import load_params
from pipeline.stage import main


def run(study: str) -> None:
    """Write a study's tables and plots; cells that the params no longer name leave its folder."""
    from harness.report import prune_cells, write_sensitivity_report, write_study_report

    params = load_params()
    for name in params.studies:
        prune_cells(params, name)
    if study == "sensitivity":
        write_sensitivity_report(params)
    else:
        write_study_report(params, study)


if __name__ == "__main__":
    main(run, ("study", "a study of params.yaml: studies"))
