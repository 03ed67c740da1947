"""Write a study's tables and plots; cells that the params no longer name leave its folder."""

from harness.errors import InputError
from harness.params import BY_ROUND, load_params
from pipeline.stage import main


def run(study: str) -> None:
    """Write a study's tables and plots; cells that the params no longer name leave its folder."""
    from harness.report import prune_cells, write_sensitivity_report, write_study_report

    params = load_params()
    for name in params.studies:
        prune_cells(params, name)
    if study in BY_ROUND:
        raise InputError(f"{study}: python -m pipeline.report_by_round {study} writes its tables")
    if study == "sensitivity":
        write_sensitivity_report(params)
    else:
        write_study_report(params, study)


if __name__ == "__main__":
    main(run, ("study", "a study of params.yaml: studies"))
