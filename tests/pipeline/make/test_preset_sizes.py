"""`make preset`: presets that start from another one, and those that come in sizes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from harness.common.errors import InputError
from pipeline.make.preset import of_size, preset_text, presets
from tests.helpers.conf_folder import OWN, write_conf

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    write_conf(tmp_path)
    return tmp_path


def chain(repo: Path, **texts: str) -> None:
    for name, text in texts.items():
        (repo / "conf" / f"{name}.yaml").write_text(text)


def test_a_preset_may_start_from_another(repo: Path) -> None:
    chain(
        repo,
        hub="# for hub models\ntrain: {epochs: 3}   # of all\nbudget: 0.05\n",
        own_gpu="# bigger\npreset: own_gpu\nextends: own # as it is\nbudget: 0.4\n",
        paper="preset: paper\nextends: hub\ntrain: {epochs: 1}\nevaluate: {suite: paper}\n",
    )
    assert sorted(presets(repo)) == ["lab", "own", "own_gpu", "paper"], "hub has no name"
    assert preset_text(repo, "own_gpu") == OWN.replace(
        "preset: own", "# bigger\npreset: own_gpu"
    ).replace("0.2", "0.4")
    text = preset_text(repo, "paper")
    assert YAML(typ="safe").load(text) == {
        "preset": "paper",
        "train": {"epochs": 1},
        "evaluate": {"suite": "paper"},
        "budget": 0.05,
    }
    assert "# of all" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: owm\n", "mine.yaml: extends: conf/ has no file 'owm'; did you mean 'own'"),
        ("extends:\n", "mine.yaml: extends: conf/ has no file ''"),
        ("extends: [own]\n", "mine.yaml: extends: conf/ has no file '[own]'"),
        ("extends: mine\n", "mine.yaml: extends: mine, which extends mine in turn; remove one"),
        ("extends: circle\n", "circle.yaml: extends: mine, which extends circle in turn; remove"),
        ("extends: bad\n", "conf/bad.yaml, line 2: not YAML: "),
        ("extends: own\nprepare: {rows: [}\n", "conf/mine.yaml, line 3: not YAML: "),
    ],
)
def test_what_a_preset_cannot_start_from(repo: Path, text: str, message: str) -> None:
    chain(repo, mine=f"preset: mine\n{text}", circle="extends: mine\n", bad="a: 1\nb: ]\n")
    with pytest.raises(InputError) as caught:
        preset_text(repo, "mine")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_preset_in_a_size(repo: Path) -> None:
    chain(repo, own_gpu="preset: own_gpu\nextends: own\n", own_huge="preset: own_huge\n")
    assert of_size(repo, "own", "gpu") == "own_gpu"
    assert of_size(repo, "own", None) == of_size(repo, "own", "") == "own"
    assert of_size(repo, None, None) is None
    for preset, size, message in (
        ("own", "tpu", "SIZE=tpu: own does not come in it; choices: gpu, huge, or none"),
        ("lab", "gpu", "SIZE=gpu: lab does not come in it; leave SIZE out"),
        ("onw", "gpu", "conf/: no preset is called 'onw'; did you mean 'own'"),
        (None, "gpu", "SIZE=gpu needs a preset to go with it: PRESET=... SIZE=..."),
    ):
        with pytest.raises(InputError) as caught:
            of_size(repo, preset, size)
        assert message in str(caught.value)


def test_the_command_takes_a_size(repo: Path) -> None:
    command = [sys.executable, "-m", "pipeline.make.preset", "lab", "--size", "gpu"]
    ended = subprocess.run(
        command,
        cwd=repo,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert ended.stderr == "error: SIZE=gpu: lab does not come in it; leave SIZE out\n"
