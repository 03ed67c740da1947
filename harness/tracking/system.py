"""What the machine did while a model was trained, for MLflow's page of system metrics.

Samples are of this machine and not of the results: they lie beside DVC's outputs, and a run that
was restored from its cache has none.
"""

import atexit
import json
import logging
import os
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.common.stores import repo_root, scratch_path

FIRST, EVERY = 60.0, 15.0  # seconds: shorter trainings have no samples


def samples_file(stage: str) -> Path:
    """Where the samples of a stage lie, those of an experiment's folder apart from the others."""
    return repo_root() / ".store" / "system" / Path.cwd().name / f"{stage}.jsonl"


def sample_in_background(stage: str, first: float = FIRST, every: float = EVERY) -> None:
    """Write a line of samples every few seconds, from the first minute to this process's end.

    A process of its own does: what it loads is in no training's memory and seconds.
    """
    starting = threading.Thread(target=_start, args=(samples_file(stage), first, every))
    starting.daemon = True
    starting.start()


def _start(path: Path, first: float, every: float) -> None:
    time.sleep(first)
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", __name__, str(path), str(os.getpid()), str(every)]
    none = subprocess.DEVNULL
    sampler = subprocess.Popen(command, stdin=none, stdout=none, stderr=none)
    atexit.register(sampler.kill)


def sample(path: Path, parent: int, every: float) -> None:
    """Write samples until the process ``parent``, which started this one, has ended."""
    monitors = _monitors()
    for monitor in monitors:  # the first use of a processor is measured from nothing
        monitor.collect_metrics()
        monitor.clear_metrics()
    time.sleep(min(every, 1))
    with path.open("w", encoding="utf-8") as lines:
        while os.getppid() == parent:
            values: dict[str, float] = {}
            for monitor in monitors:
                monitor.collect_metrics()
                values |= monitor.aggregate_metrics()
                monitor.clear_metrics()
            lines.write(json.dumps({"ms": int(time.time() * 1000), **values}) + "\n")
            lines.flush()
            time.sleep(every)


def _monitors() -> list[Any]:
    """MLflow's own, so that its page knows their names; of GPUs where their library is there."""
    logging.getLogger("mlflow.system_metrics").setLevel(logging.ERROR)
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor

    monitors: list[Any] = [CPUMonitor()]
    try:
        return [*monitors, GPUMonitor()]
    except Exception:  # no library, no driver, no device: whatever it raises, there is no GPU
        return monitors


def read_samples(stage: str, start_ms: int, end_ms: int) -> list[dict[str, float]]:
    """The samples of a stage between two times; none where there are no such."""
    path = samples_file(stage)
    if not path.is_file():
        return []
    samples = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            sample = json.loads(line)
        except ValueError:  # cut by a kill
            continue
        if start_ms <= sample["ms"] <= end_ms:
            samples.append(sample)
    return samples


def training_began(weights: str) -> int | None:
    """When the training of these weights began, in ms; None where that was not here."""
    attempts = scratch_path("train", weights) / "attempts.log"
    if not attempts.is_file():
        return None
    last = attempts.read_text(encoding="utf-8").splitlines()[-1]
    return int(datetime.fromisoformat(last.split()[1]).timestamp() * 1000)


if __name__ == "__main__":
    sample(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
