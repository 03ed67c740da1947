"""Timings lie apart, and come back where they were."""

import json
import shutil
from pathlib import Path

import pytest

from harness.common.errors import InputError
from harness.common.timings import read_timed, set_apart, timings_of, write_timed

ROUNDS = [{"round": 1, "seconds": 2.5, "cost": {"seconds": 1.5, "tokens": 7}}, {"round": 2}]
COSTS = {"seeds": {"0": {"size": 3, "seconds": None, "peak_memory_mb": 9.0}}, "empty": [], "n": {}}
METRICS = {"suite": "s", "seconds": {"load": 1.0}, "scores": {"a": 0.5}}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("content", [ROUNDS, COSTS, METRICS, {"a": [1, [2]]}, [], {}])
def test_what_is_written_is_read(content: object) -> None:
    path = Path("data/one.json")
    path.parent.mkdir()
    write_timed(path, content)
    assert read_timed(path) == content
    assert not {"seconds", "peak_memory_mb"} & set(path.read_text().split('"'))


def test_a_file_is_the_same_whatever_it_took() -> None:
    made = []
    for seconds in (1.0, 2.0):
        write_timed(Path("one.json"), [{"round": 1, "seconds": seconds}])
        made.append((Path("one.json").read_bytes(), Path("timings/one.json").read_bytes()))
    assert made[0][0] == made[1][0]
    assert made[0][1] != made[1][1]


def test_timings_of_what_is_gone_are_dropped() -> None:
    write_timed(Path("one.json"), COSTS)
    Path("one.json").write_text('{"seeds": {}, "empty": [], "n": {}}')
    assert read_timed(Path("one.json")) == {**COSTS, "seeds": {}}
    write_timed(Path("one.json"), ROUNDS)
    Path("one.json").write_text('[{"round": 1, "cost": {"tokens": 7}}]')
    assert read_timed(Path("one.json")) == ROUNDS[:1]


def test_another_worlds_lie_in_its_folder() -> None:
    path = Path("worlds/w1/runs/metrics.json")
    path.parent.mkdir(parents=True)
    write_timed(path, METRICS)
    assert Path("worlds/w1/timings/runs/metrics.json").is_file()
    assert read_timed(path) == METRICS


def test_missing_timings_name_their_remedy() -> None:
    write_timed(Path("one.json"), COSTS)
    Path("timings/one.json").unlink()
    with pytest.raises(InputError, match=r"^timings/one\.json: no such file; run the stage"):
        read_timed(Path("one.json"))


def test_a_folder_keeps_files_that_are_not_named() -> None:
    folder = Path("new/seed_0")
    folder.mkdir(parents=True)
    Path("data").mkdir()
    words = {"vocab": {"seconds": 12}}
    (folder / "tokenizer.json").write_text(json.dumps(words))
    (folder / "made.json").write_text(json.dumps({"seconds": 1.0, "steps": 2}))
    set_apart(Path("new"), Path("data/model"), "made.json")
    shutil.move("new", "data/model")
    assert json.loads(Path("data/model/seed_0/tokenizer.json").read_text()) == words
    assert json.loads(Path("data/model/seed_0/made.json").read_text()) == {"steps": 2}
    assert read_timed(Path("data/model/seed_0/made.json")) == {"seconds": 1.0, "steps": 2}
    assert [p.name for p in timings_of(Path("data/model")).rglob("*.json")] == ["made.json"]
