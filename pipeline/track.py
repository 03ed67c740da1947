"""Bring MLflow up to date with the results; nothing depends on it."""

import logging

from harness.params import load_params
from pipeline.stage import main

log = logging.getLogger("harness.track")


def run() -> None:
    """Bring MLflow up to date with the results; a dead server is a warning, not a failure."""
    from harness.tracking import track

    told = track(load_params())
    log.info("track: %s", ", ".join(f"{name} {value}" for name, value in told.items()))


if __name__ == "__main__":
    main(run)
