"""Score the pool's instances, one column a scorer."""

from harness.common import layout
from harness.common.schemas import SCORES, read_pool, write_frame
from harness.common.timings import write_timed
from harness.params.params import load_params
from pipeline.stage import main


def run() -> None:
    """Score the pool's instances, one column a scorer."""
    from harness.scorers.score_pool import make_scores

    pool = read_pool()
    scores, costs = make_scores(pool, load_params().scorers, prune=True)
    write_frame(layout.SCORES_FILE, scores, SCORES)
    write_timed(layout.SCORE_COSTS_FILE, costs)


if __name__ == "__main__":
    main(run)
