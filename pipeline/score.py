"""Score the pool's instances, one column a scorer."""

from harness import layout
from harness.params import load_params
from harness.schemas import POOL, SCORES, read_frame, write_frame
from pipeline.stage import main


def run() -> None:
    """Score the pool's instances, one column a scorer."""
    from harness.scorers import SCORERS

    pool = read_frame(layout.POOL_FILE, POOL)
    scores = pool[["id"]].copy()
    for name in load_params().scorers:
        scores[name] = SCORERS[name](pool)
    write_frame(layout.SCORES_FILE, scores, SCORES)


if __name__ == "__main__":
    main(run)
