"""Write the rows that no selection system chose: none, all, or by the planted truth."""

from harness.common import layout
from harness.common.schemas import TRUTH, read_frame, read_pool
from harness.params.params import load_params
from pipeline.stage import entry, main


def run(reference: str) -> None:
    """Write the rows that no selection system chose: none, all, or by the planted truth."""
    from harness.lab.references import reference_chooser
    from harness.selecting.budget import read_costs, within_budget
    from harness.selecting.subsets import write_subsets

    params = load_params()
    pool = read_pool()
    truth = read_frame(layout.TRUTH_FILE, TRUTH)
    item = entry(params.references, reference, "references", "reference")
    costs = read_costs(params.budget_unit, len(pool))
    budget = params.absolute_budget(reference, int(costs.sum()))
    choose = reference_chooser(
        item.rows,
        item.share,
        truth,
        len(pool),
        lambda sized, rng: within_budget(sized, costs, budget, rng),
    )
    write_subsets(params, reference, pool.ids, choose)


if __name__ == "__main__":
    main(run, ("reference", "a row named in params.yaml: references"))
