"""Choose, describe, train and evaluate a row in another generated world."""

from pipeline import describe, evaluate, select_reference, select_rounds, select_subset, train
from pipeline.stage import main
from pipeline.world_folder import inside_world


def run(world: str, row: str) -> None:
    """Choose, describe, train and evaluate a row in another generated world."""
    others = {"select_rounds": select_rounds, "select_reference": select_reference}
    with inside_world(world, row) as params:
        others.get(params.subset_stage(row).partition("@")[0], select_subset).run(row)
        for group in params.seed_groups:
            for stage in (describe, train, evaluate):
                stage.run(row, group)


if __name__ == "__main__":
    main(run, ("world", "one of params.yaml: worlds"), ("row", "one of params.yaml: world_rows"))
