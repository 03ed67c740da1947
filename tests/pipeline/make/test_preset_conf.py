"""`make preset` on the repository's own conf/: what it refuses, and whose lock dvc.lock is."""

import shutil
from pathlib import Path

import pytest

from harness.check.check import check_params
from harness.common.errors import InputError
from harness.common.yaml_files import read_yaml
from pipeline.make.preset import preset_text, presets, switch_preset

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the repository's own conf, in the preset `lab`, which has run."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "params.yaml").write_text(preset_text(ROOT, "lab"))
    (tmp_path / "dvc.lock").write_text(lock("lab"))
    return tmp_path


def lock(preset: str) -> str:
    """A lock as DVC writes it."""
    return f"stages:\n  prepare:\n    params:\n      params.yaml:\n        preset: {preset}\n"


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  k: [1, 4, 8, 16]", "  k: [1, 4, 4]", "conf/own.yaml: cluster.k: 4 is listed twice; "),
        ("evaluate: {suite: own}", "budgett: 1\nevaluat: 1", "'budget_unit'? (and 1 more); params"),
        ("evaluate: {suite: own}", "base_model: {hidden: 100}", "own.yaml: base_model: hidden 100"),
    ],
)
def test_a_preset_that_check_would_refuse_is_not_installed(
    real: Path, old: str, new: str, message: str
) -> None:
    path = real / "conf" / "own.yaml"
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))
    (real / "params.yaml").write_text(preset_text(ROOT, "lab").replace("seed: 42", "seed: 43"))
    before = files(real)
    with pytest.raises(InputError) as caught:
        switch_preset(real, "own")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert files(real) == before


def test_kept_edits_of_another_version_are_not_installed(real: Path) -> None:
    (real / "params.own.edited.yaml").write_text("preset: own\nbudget: 0.1\n")
    before = files(real)
    with pytest.raises(InputError, match=r"params\.own\.edited\.yaml: budget: keys of an older"):
        switch_preset(real, "own")
    assert files(real) == before


def test_the_lock_is_kept_for_its_preset_when_params_are_gone(real: Path) -> None:
    (real / "params.yaml").unlink()
    lines = switch_preset(real, "own")
    back = "make preset PRESET=lab brings it back"
    assert lines[-1] == f"dvc.lock: put away with its preset ({back}); own has not run here yet"
    assert not (real / "dvc.lock").exists()
    (real / "params.yaml").unlink()
    (real / "dvc.lock").write_text(lock("own"))
    assert switch_preset(real, "lab")[-1] == "dvc.lock: from .store/locks/lab.lock"
    assert (real / "dvc.lock").read_text() == lock("lab")
    assert (real / ".store" / "locks" / "own.lock").read_text() == lock("own")


def test_a_killed_switch_is_finished_by_the_next(real: Path) -> None:
    (real / "params.yaml").write_text(preset_text(ROOT, "own"))  # and the lock is still lab's
    switch_preset(real, "own")
    assert not (real / "dvc.lock").exists()
    assert (real / ".store" / "locks" / "lab.lock").read_text() == lock("lab")


def test_a_preset_made_from_another_goes_on_with_its_lock(real: Path) -> None:
    (real / "params.yaml").write_text(preset_text(ROOT, "lab").replace("preset: lab", "preset: me"))
    assert switch_preset(real, "me") == ["params.yaml holds me already"]
    assert (real / "dvc.lock").read_text() == lock("lab")
    switch_preset(real, "own")
    assert switch_preset(real, "me")[-1] == "dvc.lock: from .store/locks/me.lock"


@pytest.mark.parametrize(
    "broken", ["stages: [", "a: &a [*a]\n", "- 1\n", "\xff", "stages: {x: }\n"]
)
def test_a_broken_lock_goes_with_the_params_beside_it(real: Path, broken: str) -> None:
    (real / "dvc.lock").write_text(broken, encoding="latin-1")
    switch_preset(real, "own")
    assert (real / ".store" / "locks" / "lab.lock").read_text(encoding="latin-1") == broken


def test_line_ends_and_marks_of_other_systems_do_not_matter(real: Path) -> None:
    wanted = preset_text(real, "own")
    for path in (real / "conf").glob("*.yaml"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert sorted(presets(real)) == sorted(presets(ROOT))
    switch_preset(real, "own")
    assert (real / "params.yaml").read_bytes().decode() == wanted


def test_line_ends_of_another_system_are_no_edits(real: Path) -> None:
    path = real / "params.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert switch_preset(real, "lab") == ["params.yaml holds lab already"]
    switch_preset(real, "own")
    assert not list(real.glob("params.*.edited.yaml"))


def test_an_empty_params_file_is_none(real: Path) -> None:
    (real / "params.yaml").write_text("\n")
    (line,) = check_params(real / "params.yaml")
    assert line.endswith("make preset PRESET=lab writes one")
    assert switch_preset(real, "lab") == ["params.yaml: from conf/lab.yaml"]
    assert (real / "dvc.lock").read_text() == lock("lab")


def test_an_empty_base_is_one_line(real: Path) -> None:
    (real / "conf" / "base.yaml").write_text("{}\n")
    with pytest.raises(InputError, match=r"base\.yaml: not a table of params"):
        switch_preset(real, "own")


def test_anchors_of_the_base_stay(real: Path) -> None:
    path = real / "conf" / "own.yaml"
    path.write_text(path.read_text() + "defaults: {}\nbase_models: {x: {<<: *base_model}}\n")
    with pytest.raises(InputError, match=r"defaults\.embedding: this key is missing"):
        switch_preset(real, "own")
    own = path.read_text().replace("defaults: {}", "defaults:\n    k: 4\n    budget: 0.5 # half")
    path.write_text(own)
    switch_preset(real, "own")
    values = read_yaml(real / "params.yaml")
    assert values["selections"]["random"]["budget"] == 0.5
    assert values["base_models"]["x"] == values["base_model"]


@pytest.mark.parametrize("current", ["lab", "own"])
def test_a_pool_that_does_not_fit_the_preset_is_refused(real: Path, current: str) -> None:
    (real / "params.yaml").write_text(preset_text(ROOT, current))
    (real / "my.jsonl").write_text("{}\n")
    before = files(real)
    with pytest.raises(InputError, match=r"clean needs planted truth.*\(and 11 more\)"):
        switch_preset(real, "lab", "my.jsonl")
    assert files(real) == before
