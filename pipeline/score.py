"""Score the pool's instances, one column a scorer."""

from harness import layout
from harness.params import load_params
from harness.schemas import POOL, SCORES, read_frame, write_frame
from pipeline.stage import main


def run() -> None:
    """Score the pool's instances, one column a scorer."""
    import pandas as pd

    from harness.scorers import SCORERS

    pool = read_frame(layout.POOL_FILE, POOL)
    columns = {name: SCORERS[name](pool) for name in load_params().scorers}
    scores = pd.DataFrame({"id": pool["id"], **columns})
    write_frame(layout.SCORES_FILE, scores, SCORES)


if __name__ == "__main__":
    main(run)
