"""Names of params.yaml under plain `dvc repro`: one that `make check` would refuse runs nothing."""

import subprocess
from pathlib import Path

import pytest

from pipeline.stage import names_of_cell
from tests.helpers.small_repo import (
    DVC,
    ROOT,
    edit_params,
    environment,
    further,
    selection,
    small_repo,
    yaml,
)

SELECTIONS = (
    "x; touch pwned",
    "$(touch pwned)",
    "`touch pwned`",
    "x\ntouch pwned",
    "--help; touch pwned",
    "' && touch pwned #",
)
GRIDS = {
    "embeddings": {"minilm": {}, "x; touch pwned": {}},
    "cluster": {"k": [1, "4; touch pwned"]},
    "seed_groups": ["s0", "s0; touch pwned"],
    "base_models": {"x; touch pwned": {}},
    "studies": {"x; touch pwned": {"report": "scores"}},
    "further": {"x; touch pwned": further("main", "random", "s0")},
    "selections": {name: selection("random") for name in ("random", "k_center", *SELECTIONS)},
}
RUN = {
    *(f"select@{name}" for name in SELECTIONS),
    "embed@x; touch pwned",
    "base_model_further@x; touch pwned",
    "cluster@minilm-4; touch pwned",
    "choose_k@x; touch pwned",
    *(f"{stage}@random-s0; touch pwned" for stage in ("describe", "train", "evaluate")),
    *(f"{stage}_further@x; touch pwned" for stage in ("describe", "train", "evaluate")),
    "report_study@x; touch pwned",
}


def test_no_command_holds_a_name() -> None:
    stages = yaml().load(ROOT / "dvc.yaml")["stages"]
    commands = [entry.get("do", entry)["cmd"] for entry in stages.values()]
    assert len(commands) > 20
    assert [command for command in commands if "$" in command] == []


def make_inputs(repo: Path) -> None:
    """An empty file for each path that a stage waits for: DVC would not start its command.

    What lies in a folder comes before the folder.
    """
    from dvc.repo import Repo

    with Repo(str(repo)) as opened:
        stages = {stage.addressing.partition(":")[2]: stage for stage in opened.index.stages}
        for dep in sorted(
            {dep.def_path for name in RUN for dep in stages[name].deps}, reverse=True
        ):
            if not (repo / dep).exists():
                (repo / dep).parent.mkdir(parents=True, exist_ok=True)
                (repo / dep).touch()


def test_a_hostile_name_leaves_nothing_behind(tmp_path: Path) -> None:
    repo = small_repo(tmp_path / "repo")
    edit_params(repo, **GRIDS)
    make_inputs(repo)
    command = [*DVC, "repro", "--keep-going", "--single-item", *sorted(RUN)]
    done = subprocess.run(command, cwd=repo, env=environment(), capture_output=True, text=True)
    assert done.returncode != 0
    assert done.stdout.count("Running stage") == len(RUN)
    assert not list(tmp_path.rglob("pwned"))
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == len(RUN)
    assert all("names hold letters, digits and _ only; make check says" in line for line in lines)
    assert "error: params.yaml: select of 'x\\ntouch pwned': names hold" in done.stderr


@pytest.mark.parametrize(
    ("stage", "names"),
    [
        ("", []),
        ("prepare", []),
        ("cluster@minilm-16", ["minilm", "16"]),
        ("train@random-s0_1", ["random", "s0_1"]),
        ("../dvc.yaml:train@random-s0_1", ["random", "s0_1"]),
        ("select@a:b@random", None),
        ("select@random-", None),
        ("select@../random", None),
        ("select@random\n", None),
    ],
)
def test_the_names_of_a_cell(
    stage: str, names: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_STAGE", stage)
    if names is not None:
        assert names_of_cell() == names
    else:
        with pytest.raises(ValueError, match="names hold letters"):
            names_of_cell()
