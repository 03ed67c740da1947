"""What `make repro` says and refuses before its first stage."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.common.errors import InputError
from pipeline.make.repro import SHIPPED, shipped_durations, with_cards
from tests.helpers.presets import preset_file
from tests.helpers.small_repo import edit_params


@pytest.mark.parametrize("text", ["[]", '{"lab": 3}', '{"lab": {"train": "3 s"}}', '{"lab": '])
def test_durations_of_another_form_are_refused(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shipped_durations() == {}
    SHIPPED.parent.mkdir()
    SHIPPED.write_text('{"lab": {"train@x": 3.5}}')
    assert shipped_durations() == {"lab": {"train@x": 3.5}}
    SHIPPED.write_text(text)
    with pytest.raises(InputError, match=f"git checkout {SHIPPED}"):
        shipped_durations()


@pytest.mark.parametrize(("source", "warned"), [("scratch", False), ("no/body", True)])
def test_a_model_of_the_hub_on_the_cpu_build_of_torch(
    source: str, warned: bool, tmp_path: Path
) -> None:
    (tmp_path / "params.yaml").write_bytes(preset_file("lab").read_bytes())
    edit_params(tmp_path, base_model={"source": source, "revision": "a" * 40})
    # There is no pipeline here: it ends with an error right after what it says of the params.
    command = [sys.executable, "-m", "pipeline.make.repro"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode != 0
    assert "check: params.yaml is fine" in ended.stdout
    assert ("make env TORCH=cuda brings" in ended.stdout) == (warned and not with_cards())
