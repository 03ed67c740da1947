"""The compiled loops run where what is compiled cannot be kept."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.helpers.small_repo import ROOT

SCRIPT = """
import numpy as np
from harness.samplers import SAMPLERS, Pool
from harness.samplers.kernels import k_center_kernel, qdit_kernel
x = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
pool = Pool(x / np.linalg.norm(x, axis=1, keepdims=True), threads=1)
print(len(SAMPLERS["k_center"](pool, 5, np.random.default_rng(0))))
"""


def test_read_only_code_without_a_home(tmp_path: Path) -> None:
    taken = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "harness", tmp_path / "harness", ignore=taken)
    # As read-only code and no home, for root too: files stand where folders would be made.
    (tmp_path / "harness/samplers/kernels/__pycache__").touch()
    gone = {"NUMBA_CACHE_DIR", "XDG_CACHE_HOME"}
    env = {name: value for name, value in os.environ.items() if name not in gone}
    env |= {"PYTHONPATH": str(tmp_path), "HOME": "/dev/null", "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=env, cwd=tmp_path, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "5\n", "")
