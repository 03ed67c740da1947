"""Commits of what presets take from the hub: written to params, looked up on a local hub."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.common.errors import InputError
from harness.common.yaml_files import parse_yaml, read_yaml
from pipeline.make.pins import PINS, hub_ids, pinned, read_pins, record_pins
from pipeline.make.preset import preset_text, presets, switch_preset
from tests.helpers.local_hub import COMMIT, local_hub
from tests.helpers.small_repo import ROOT

OLD = "f" * 40
BASE = """\
preset: base
prepare: {source: mine, sources: {mine: {path: a/rows, licence: none}}}   # a comment
base_model: &base_model
  source: a/one   # of mine
base_models: {}
reward_model: {source: base}
scorers: {rating: {scorer: x, model: b/judge}, reward: {scorer: y, model: reward}}
"""
OWN = "preset: own\nbase_models: {other: {<<: *base_model, source: a/two}}\n"


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "base.yaml").write_text(BASE)
    (tmp_path / "conf" / "own.yaml").write_text(OWN)
    monkeypatch.setattr("pipeline.make.preset.check_values", lambda values, file: [])
    return tmp_path


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "hub"
    for name in ("a/rows", "a/one", "a/two", "b/judge"):
        (folder / name).mkdir(parents=True)
        (folder / name / "README.md").write_text("x")
    with local_hub(folder) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield folder


def pins(repo: Path, **listed: dict[str, str]) -> None:
    texts = {kind: ", ".join(f"{k}: {v}" for k, v in ids.items()) for kind, ids in listed.items()}
    lines = [f"{kind}: {{{text}}}\n" for kind, text in texts.items()]
    (repo / PINS).write_text("".join(lines))


def make(repo: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of make, in a process of its own: the hub's address is read as it is imported."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", f"pipeline.make.{program}", *arguments]
    return subprocess.run(command, cwd=repo, env=env, capture_output=True, text=True)


def revisions(values: dict[str, Any]) -> dict[str, str | None]:
    return {one.name: one.revision for one in hub_ids(values)}


def test_pins_stand_in_the_params_of_a_preset(repo: Path) -> None:
    assert revisions(parse_yaml(preset_text(repo, "own"), repo)) == dict.fromkeys(
        ("a/one", "a/two", "b/judge", "a/rows")
    )
    pins(repo, models={"a/one": OLD}, datasets={"a/rows": COMMIT})
    text = preset_text(repo, "own")
    values = parse_yaml(text, repo)
    # The other model does not get the revision of the one whose entry it begins with.
    assert revisions(values) == {"a/one": OLD, "a/two": None, "b/judge": None, "a/rows": COMMIT}
    assert "# a comment" in text
    assert "# of mine" in text
    assert pinned(text, values, read_pins(repo)) == text, "nothing to add"
    own = OWN + "base_model: {revision: mine}\n"
    (repo / "conf" / "own.yaml").write_text(own)
    assert revisions(parse_yaml(preset_text(repo, "own"), repo))["a/one"] == "mine"


def test_a_pin_that_is_no_text_is_refused(repo: Path) -> None:
    pins(repo, models={"a/one": "1234567"})
    with pytest.raises(InputError, match=r"models.a/one: 1234567 is no commit; quote it"):
        preset_text(repo, "own")


@pytest.mark.parametrize("text", ["- a/one\n", "models: [a/one]\n", "datasets: a/rows\n"])
def test_pins_that_are_no_tables_are_refused(repo: Path, text: str) -> None:
    (repo / PINS).write_text(text)
    with pytest.raises(InputError, match=r"pins.yaml: models and datasets are tables"):
        read_pins(repo)


def test_make_pin_looks_up_what_is_missing(repo: Path, hub: Path) -> None:
    pins(repo, models={"a/one": OLD}, datasets={})
    (repo / "params.yaml").write_text(preset_text(repo, "own"))
    ended = make(repo, "pin")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == [
        f"pin: conf/pins.yaml: a/two = {COMMIT}",
        f"pin: conf/pins.yaml: b/judge = {COMMIT}",
        f"pin: conf/pins.yaml: a/rows = {COMMIT}",
        "pin: params.yaml: with these revisions",
    ]
    written = read_pins(repo)
    assert written["models"] == {"a/one": OLD, "a/two": COMMIT, "b/judge": COMMIT}
    assert written["datasets"] == {"a/rows": COMMIT}
    assert (repo / "params.yaml").read_text() == preset_text(repo, "own")
    assert switch_preset(repo, "own") == ["params.yaml holds own already"], "these are no edits"
    assert make(repo, "pin", "own").stdout == "pin: conf/pins.yaml: nothing to add\n"


def test_what_the_hub_does_not_know_is_named_and_the_rest_is_kept(repo: Path, hub: Path) -> None:
    (hub / "b" / "judge").rename(hub / "gone")
    (repo / "params.yaml").write_text(preset_text(repo, "own"))
    ended = make(repo, "pin", "own")
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: b/judge: no such file here, and no such")
    assert len(ended.stderr.splitlines()) == 1
    assert read_pins(repo)["models"] == {"a/one": COMMIT, "a/two": COMMIT}
    ended = make(repo, "pin", "nothing")
    assert ended.stderr == "error: conf/: no preset is called 'nothing'; choices: own\n"


def test_params_are_pinned_before_they_are_first_used(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = repo / "params.yaml"
    path.write_text(preset_text(repo, "own").replace("a/one   #", "a/one # mine"))
    pins(repo, models={"a/one": OLD, "a/two": OLD, "b/judge": OLD}, datasets={"a/rows": OLD})
    assert record_pins(repo) == []
    assert revisions(read_yaml(path)) == dict.fromkeys(("a/one", "a/two", "b/judge", "a/rows"), OLD)
    assert "# mine" in path.read_text()
    # Out of reach: a line, and what is known is written all the same.
    pins(repo, models={"a/one": OLD, "b/judge": OLD}, datasets={"a/rows": OLD})
    path.write_text(preset_text(repo, "own"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (line,) = record_pins(repo)
    assert line.startswith("not pinned: a/two: no such file here, and the hub cannot be reached")
    assert revisions(read_yaml(path))["a/two"] is None
    path.write_text("preset: own\nbase_model: {source: scratch}\n")
    assert record_pins(repo) == []


@pytest.mark.parametrize("name", presets(ROOT))
def test_what_the_repository_s_presets_leave_open_is_listed(name: str) -> None:
    values = parse_yaml(preset_text(ROOT, name), ROOT)
    said = (ROOT / PINS).read_text()
    for one in hub_ids(values):
        if one.revision is None:
            assert one.name in said.partition("models:")[0], "say that it is not resolved"
        else:
            assert len(one.revision) == 40
