"""Samples of the machine while a model was trained."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.common import layout
from harness.common.stores import scratch_folder
from harness.common.timings import read_timed
from harness.params.params import Params
from harness.tracking.system import read_samples, samples_file
from harness.tracking.upsert import connect, track
from tests.helpers.build_runs import SMALL, build_runs
from tests.helpers.mlflow_runs import runs
from tests.helpers.small_repo import wait_for

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
SAMPLE = """
import time
from harness.tracking.system import sample_in_background
sample_in_background("train@random-s0", first=0.2, every=0.1)
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    return tmp_path


def test_a_process_is_sampled_until_it_ends(folder: Path) -> None:
    path = samples_file("train@random-s0")
    begun = int(time.time() * 1000)
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    with subprocess.Popen([sys.executable, "-c", SAMPLE], cwd=folder, env=environment) as process:
        wait_for(lambda: len(read_samples("train@random-s0", 0, 1 << 62)) >= 3)
        process.kill()
    result = read_samples("train@random-s0", begun, int(time.time() * 1000))
    assert len(result) >= 3
    assert all(0 <= one["cpu_utilization_percentage"] <= 100 for one in result)
    assert all(one["system_memory_usage_megabytes"] > 0 for one in result)
    assert path.is_relative_to(folder / ".store")


def test_samples_are_those_between_two_times_and_a_cut_line_is_none(folder: Path) -> None:
    path = samples_file("train@x")
    path.parent.mkdir(parents=True)
    lines = [json.dumps({"ms": ms, "cpu_utilization_percentage": 1.0}) for ms in (10, 20, 30)]
    path.write_text("\n".join([*lines, '{"ms": 4']))
    assert [one["ms"] for one in read_samples("train@x", 15, 30)] == [20, 30]
    assert read_samples("train@other", 0, 100) == []


def test_a_runs_samples_are_metrics_of_the_system(folder: Path, empty_store: Path) -> None:
    params: Params = build_runs(folder, **SMALL)
    (folder / "mlflow.db").write_bytes(empty_store.read_bytes())
    path = samples_file("train@random-s0_1")
    path.parent.mkdir(parents=True)
    begun, lines = datetime.now(UTC), []
    for seed in (0, 1):  # one after the other, an hour apart; a killed attempt before each
        manifest = read_timed(layout.RUNS / f"main/random/s0_1/train/seed_{seed}.json")
        log = scratch_folder("train", manifest["weights"]) / "attempts.log"
        starts = [begun + timedelta(hours=seed, minutes=minutes) for minutes in (-30, 0)]
        log.write_text("".join(f"1 {start.isoformat()}\n" for start in starts))
        ms = int(starts[1].timestamp() * 1000)
        length = int(manifest["seconds"] * 1000)
        for at, value in ((-1, 0.0), (1, 10.0 + seed), (length, 20.0 + seed), (length + 1, 0.0)):
            lines.append(json.dumps({"ms": ms + at, "cpu_utilization_percentage": value}))
    path.write_text("\n".join(lines))
    track(params)
    name = "system/cpu_utilization_percentage"
    sampled = {run.data.tags["seed"]: run for run in runs(params) if name in run.data.metrics}
    assert {run.data.tags["selection"] for run in sampled.values()} == {"random"}
    for seed in (0, 1):
        history = connect().get_metric_history(sampled[str(seed)].info.run_id, name)
        assert [one.value for one in history] == [10.0 + seed, 20.0 + seed]
    path.unlink()  # another clone has none
    assert track(params)["updated"] == 0
