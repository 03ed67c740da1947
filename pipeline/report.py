"""Write a report: of the main table, its subsets before any training, a study, or worlds."""

from collections.abc import Callable

from harness.common.errors import InputError, nearest
from harness.params.params import MAIN, Params, load_params
from harness.params.pruning import SUBSETS, prune
from pipeline.stage import main


def run(name: str) -> None:
    """Write a report; what params no longer name is removed."""
    params = load_params()
    kinds = {MAIN: "scores", SUBSETS: SUBSETS, **params.report_kinds}
    if name not in kinds:
        raise InputError(f"no report is called {name!r}{nearest(name, kinds)}")
    prune(params)
    writer(kinds[name])(params, name)


def writer(kind: str) -> Callable[[Params, str], object]:
    """What writes a kind of report; imports no other kind."""
    if kind == "scores":
        from harness.report.scores.write import write_scores as write
    elif kind == "curves":
        from harness.report.curves.write import write_curves as write
    elif kind == "clusters":
        from harness.report.clusters.write import write_clusters as write
    elif kind == "sensitivity":
        from harness.report.sensitivity.write import write_sensitivity as write
    elif kind == "worlds":
        from harness.report.worlds.write import write_worlds as write
    else:
        from harness.report.subsets.write import write_subset_report as write
    return write


if __name__ == "__main__":
    main(run, ("name", "main, subsets, or one of params.yaml: studies, world_reports"))
