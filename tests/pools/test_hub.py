"""Datasets by hub id and folders like them, read by the real client and the real loader."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.local_hub import COMMIT, local_hub
from tests.helpers.pool_files import as_jsonl

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import json, sys, warnings
from harness.common.errors import InputError
from harness.params.prepare import PrepareParams
from harness.pools.prepare import prepare_section

for section in json.load(sys.stdin):
    try:
        made = prepare_section(PrepareParams.model_validate(section))
        print(json.dumps({"card": made.card, "pool": made.pool.to_dict("list")}))
    except InputError as error:
        print(json.dumps(str(error)))
"""


def run(folder: Path, address: str, *sections: dict[str, Any], **more: str) -> list[Any]:
    """Prepare each section in a process of its own, whose hub is at ``address``."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HF_HOME": str(folder / "cache"),
        "HF_ENDPOINT": address,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        **more,
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(sections),
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Repositories of datasets: one good, one that is a script, one with a broken file."""
    hub = tmp_path_factory.mktemp("hub") / "hub"
    for name in ("good", "script", "broken"):
        (hub / "owner" / name).mkdir(parents=True)
    rows = [
        {"instruction": f"q{i}", "input": "", "output": f"a{i}" if i % 9 else ""}
        for i in range(1, 50)
    ]
    as_jsonl(hub / "owner/good/train.jsonl", rows)
    (hub / "owner/script/script.py").write_text("raise SystemExit('remote code ran')")
    (hub / "owner/broken/train.jsonl").write_text('{"a": 1}\n{"a"')
    return hub.parent


SECTION = {"source": "owner/good", "rows": 20, "on_bad_row": "drop"}


def test_a_hub_dataset_is_drawn_by_seed_at_its_commit(folder: Path) -> None:
    with local_hub(folder / "hub") as address:
        one, other, pinned, refused, revision, missing, script, broken = run(
            folder,
            address,
            SECTION,
            SECTION | {"seed": 1},
            SECTION | {"source": f"owner/good@{COMMIT}"},
            SECTION | {"on_bad_row": "error"},
            SECTION | {"source": "owner/good@v9"},
            SECTION | {"source": "owner/none"},
            SECTION | {"source": "owner/script"},
            SECTION | {"source": "owner/broken"},
        )
    source = one["card"]["sources"]["owner/good"]
    assert (source["revision"], source["licence"]) == (COMMIT, "cc-by-nc-4.0")
    assert (source["rows_read"], source["rows_dropped"]) == (49, {"blank response": 5})
    assert len(one["pool"]["id"]) == 20
    assert one["pool"]["prompt"] == [f"q{row}" for row in one["pool"]["row"]]
    assert other["pool"] != one["pool"]
    assert pinned["pool"] == one["pool"]
    assert refused == ("owner/good, row 9: blank response; fix the row, or set on_bad_row: drop")
    assert revision == "owner/good: the hub has no revision 'v9' of it; correct `revision`"
    assert missing == (
        "owner/none: no such file here, and no such dataset on the hub; correct the name"
    )
    assert script.startswith("owner/script: ")
    assert "remote code ran" not in script
    assert broken.startswith("owner/broken: ")
    assert "\n" not in script + broken
    # Later, with no network: the cache is read only when that is asked for.
    (gone,) = run(folder, address, SECTION)
    assert gone == (
        "owner/good: no such file here, and the hub cannot be reached; check the network,"
        " set HF_HUB_OFFLINE=1 to read the local cache, or give a file"
    )
    cached, wrong, absent = run(
        folder,
        address,
        SECTION,
        SECTION | {"source": "owner/good@v9"},
        SECTION | {"source": "owner/none"},
        HF_HUB_OFFLINE="1",
    )
    assert cached["pool"] == one["pool"]
    assert cached["card"]["sources"]["owner/good"]["revision"] == COMMIT
    assert wrong == (
        f"owner/good: the local cache holds revision {COMMIT}, not v9;"
        " unset HF_HUB_OFFLINE, or change `revision`"
    )
    assert absent == (
        "owner/none: no such file here, it is not in the local cache, and offline mode is on;"
        " unset HF_HUB_OFFLINE, or give a file"
    )


def test_a_folder_is_read_like_a_repository(folder: Path) -> None:
    here = str(folder / "hub/owner")
    one, again, script = run(
        folder,
        "http://127.0.0.1:1",
        SECTION | {"source": f"{here}/good"},
        SECTION | {"source": "hub/owner/good"},
        SECTION | {"source": f"{here}/script"},
    )
    assert one["pool"] == again["pool"]
    assert one["card"]["sources"][f"{here}/good"]["rows_kept"] == 44
    assert script.startswith(f"{here}/script: ")
    assert "remote code ran" not in script
