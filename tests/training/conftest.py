"""A folder in which a run can be trained."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.common import layout
from harness.common.schemas import POOL, SUBSET, write_frame
from harness.common.stores import seal
from harness.params.params import Params, load_params
from tests.helpers.presets import preset_file
from tests.helpers.small_repo import SMALL, edit_params, further


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> Params:
    """A working folder with a base model, a pool and a subset, and nothing trained."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "params.yaml").write_bytes(preset_file("lab").read_bytes())
    edit_params(tmp_path, **SMALL)
    edit_params(tmp_path, train={"epochs": 1}, seed_groups=["s0", "s7"])
    edit_params(tmp_path, studies={"other": {"report": "scores"}})
    edit_params(tmp_path, further={"other_random": further("other", "random", "s0")})
    layout.BASE_MODEL.parent.mkdir(parents=True)
    layout.BASE_MODEL.symlink_to(tiny_model)
    text = [f"Say {word}." for word in ("one", "two", "three", "four")]
    messages = [
        json.dumps([{"role": "user", "content": t}, {"role": "assistant", "content": t[4:]}])
        for t in text
    ]
    ids = ["a", "b", "c", "d"]
    table = {"id": ids, "row": [1, 2, 3, 4], "prompt": text, "response": text}
    write_frame(layout.POOL_FILE, pd.DataFrame({**table, "messages": messages}), POOL)
    subset = pd.DataFrame(
        {
            "id": ["c", "a"],
            "order": [0, 1],
            "cluster": [-1, -1],
            "score": [np.nan, np.nan],
            "round": [0, 0],
        }
    )
    write_frame(layout.subset_folder("random") / "s0/seed_0.parquet", subset, SUBSET)
    seal(layout.subset_folder("random") / "s0")
    return load_params()
