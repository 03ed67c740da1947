"""Bring MLflow up to date with the results; nothing depends on it."""

import logging
import os

from harness.common import layout
from harness.params.params import load_params
from harness.params.pruning import prune
from pipeline.make.dvc_lock import copy_lock, recorded_params
from pipeline.stage import main

log = logging.getLogger("harness.track")


def run() -> None:
    """Bring MLflow up to date with the results; a dead server is a warning, not a failure."""
    from harness.tracking.upsert import track

    params = load_params()
    prune(params)
    if os.environ.get("DVC_STAGE"):  # after the report, which DVC has recorded by now
        copy_lock(layout.RESULTS / params.preset)
    counts = track(params, recorded_params())
    log.info("track: %s", ", ".join(f"{name} {value}" for name, value in counts.items()))


if __name__ == "__main__":
    main(run)
