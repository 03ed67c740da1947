"""Liger's kernels: refused in one line where they are not installed, or there is no CUDA."""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from harness.check.check import check_params
from harness.common.errors import InputError
from harness.training.kernels import liger_is_installed
from harness.training.sft import train
from tests.helpers.presets import preset_file
from tests.helpers.sft_rows import PARAMS, ROWS


@pytest.mark.skipif(liger_is_installed(), reason="liger-kernel is installed")
def test_not_installed(tiny_model: Path, tmp_path: Path) -> None:
    params = PARAMS.model_copy(update={"liger": True})
    message = "train.liger: liger-kernel is not installed; pip install liger-kernel, or say"
    with pytest.raises(InputError, match=message):
        train(tiny_model, ROWS, tmp_path / "out", params, seed=0)
    text = preset_file("lab").read_text()
    assert "\ntrain:\n" in text
    path = tmp_path / "params.yaml"
    path.write_text(text.replace("\ntrain:\n", "\ntrain:\n  liger: true\n"))
    (line,) = check_params(path)
    assert line.startswith(f"params.yaml: {message}")


def test_on_a_cpu(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the package is installed; what is in it is not reached."""
    package = ModuleType("liger_kernel")
    package.__spec__ = ModuleSpec("liger_kernel", None)
    monkeypatch.setitem(sys.modules, "liger_kernel", package)
    params = PARAMS.model_copy(update={"liger": True, "device": "cpu"})
    with pytest.raises(InputError, match="kernels run on CUDA, not on cpu; say liger: false"):
        train(tiny_model, ROWS, tmp_path / "out", params, seed=0)
