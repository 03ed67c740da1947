"""What a page says of its base model is what the stage that made it wrote."""

from pathlib import Path

import pytest

from harness.common import layout
from harness.common.files import write_json
from harness.models.packaged import PACKAGED
from harness.report.shared.notes import preset_note


@pytest.mark.parametrize("preset", ["own", "any"])
def test_a_packaged_model_is_called_what_it_is(
    preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    layout.BASE_MODEL.mkdir(parents=True)
    made = {"source": "smollm2", **PACKAGED["smollm2"].card(), "parameters": 134_515_008}
    write_json(layout.BASE_MODEL / "base_model.json", made)
    assert preset_note(preset).endswith(
        "The base model, of 134.5M parameters, is SmolLM2-135M-Instruct, already "
        "instruction-tuned, dequantised from Q4_1."
    )
    assert "from scratch" not in preset_note(preset)


def test_a_scratch_model_is_said_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    layout.BASE_MODEL.mkdir(parents=True)
    write_json(
        layout.BASE_MODEL / "base_model.json", {"source": "scratch", "parameters": 1_000_000}
    )
    assert "The model, of 1.0M parameters, is pretrained here from scratch" in preset_note("own")
    assert "The base model" not in preset_note("own")
