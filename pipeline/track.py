"""Bring MLflow up to date with the results; nothing depends on it."""

import logging
import os

from harness import layout
from harness.params import load_params
from harness.pruning import prune
from harness.tracking.dvc_lock import copy_lock
from pipeline.stage import main

log = logging.getLogger("harness.track")


def run() -> None:
    """Bring MLflow up to date with the results; a dead server is a warning, not a failure."""
    from harness.tracking import track

    params = load_params()
    prune(params)
    if os.environ.get("DVC_STAGE"):  # after the report, which DVC has recorded by now
        copy_lock(layout.RESULTS / params.preset)
    told = track(params)
    log.info("track: %s", ", ".join(f"{name} {value}" for name, value in told.items()))


if __name__ == "__main__":
    main(run)
