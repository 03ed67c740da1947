"""`make preset`: switching keeps the user's edits, the comments and each preset's lock."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from harness.common.errors import InputError
from harness.common.yaml_files import read_yaml
from pipeline.make.preset import name_score_files, name_source, presets, switch_preset

ROOT = Path(__file__).resolve().parents[3]
LAB = "# the lab\npreset: lab\nbudget: 0.1   # a share\nprepare: {source: lab}\n"
OWN = "preset: own\nbudget: 0.2\nprepare:\n  source: pool.jsonl   # yours\n  rows: all\n"


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "lab.yaml").write_text(LAB)
    (tmp_path / "conf" / "own.yaml").write_text(OWN)
    (tmp_path / "conf" / "other.yaml").write_text("pins: {}\n")
    (tmp_path / "params.yaml").write_text(LAB)
    return tmp_path


def test_presets_are_the_params_files_of_conf(repo: Path) -> None:
    assert sorted(presets(repo)) == ["lab", "own"]


def test_the_repository_is_in_its_default_preset() -> None:
    # As committed: a user's own edits are no defect of the repository.
    command = ["git", "show", "HEAD:params.yaml"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    committed = shown.stdout if shown.returncode == 0 else (ROOT / "params.yaml").read_bytes()
    assert committed == (ROOT / "conf" / "lab.yaml").read_bytes()


def test_switch_says_what_it_writes(repo: Path) -> None:
    assert switch_preset(repo, "own") == ["params.yaml: from conf/own.yaml"]
    assert (repo / "params.yaml").read_text() == OWN
    assert not list(repo.glob("params.*.edited.yaml"))


def test_edits_go_aside_and_come_back(repo: Path) -> None:
    edited = LAB.replace("0.1", "0.3").replace("# a share", "# mine")
    (repo / "params.yaml").write_text(edited)
    told = switch_preset(repo, "own")
    assert told[0].startswith("params.lab.edited.yaml: your edits of lab")
    assert (repo / "params.yaml").read_text() == OWN
    told = switch_preset(repo, "lab")
    assert "params.lab.edited.yaml" in told[0]
    assert (repo / "params.yaml").read_text() == edited


def kept(repo: Path) -> dict[str, str]:
    """The files in which edits wait, by name."""
    return {path.name: path.read_text() for path in repo.glob("params.*.edited.yaml")}


def test_kept_edits_go_only_when_they_are_taken_up(repo: Path) -> None:
    edited = LAB.replace("0.1", "0.3")
    (repo / "params.yaml").write_text(edited)
    switch_preset(repo, "own")
    (repo / "params.yaml").write_text(LAB)  # as `git checkout` or `cp conf/lab.yaml` does
    told = switch_preset(repo, "lab")
    assert told[1] == (
        "params.lab.edited.yaml: other edits of lab; cp params.lab.edited.yaml params.yaml"
    )
    assert switch_preset(repo, "own") == ["params.yaml: from conf/own.yaml"]
    assert kept(repo) == {"params.lab.edited.yaml": edited}
    told = switch_preset(repo, "lab")
    assert told[0] == (
        "params.yaml: from params.lab.edited.yaml, which is gone now,"
        " with your edits; cp conf/lab.yaml params.yaml undoes them"
    )
    assert (kept(repo), (repo / "params.yaml").read_text()) == ({}, edited)


def test_older_kept_edits_get_a_number_and_come_back_with_it(repo: Path) -> None:
    (repo / "dvc.lock").write_text("stages: {lab: {}}\n")
    edits = [LAB.replace("0.1", value) for value in ("0.3", "0.4", "0.5")]
    for edited in edits:
        (repo / "params.yaml").write_text(edited)
        told = switch_preset(repo, "own")
    assert (
        told[0] == "params.lab.2.edited.yaml: older edits of lab; they come back with PRESET=lab.2"
    )
    names = ["params.lab.1.edited.yaml", "params.lab.2.edited.yaml", "params.lab.edited.yaml"]
    assert kept(repo) == dict(zip(names, edits, strict=True))
    told = switch_preset(repo, "lab.1")
    assert (repo / "params.yaml").read_text() == edits[0]
    assert told[-1] == "dvc.lock: from .store/locks/lab.lock"
    assert sorted(kept(repo)) == names[1:]
    # The same edits a second time are kept once.
    (repo / "params.yaml").write_text(edits[2])
    switch_preset(repo, "own")
    assert sorted(kept(repo)) == names[1:]


def test_params_of_no_file_in_conf_come_back_too(repo: Path) -> None:
    mine = LAB.replace("preset: lab", "preset: mine")
    (repo / "params.yaml").write_text(mine)
    assert switch_preset(repo, "mine") == ["params.yaml holds mine already"]
    told = switch_preset(repo, "own")
    assert told[0].endswith("your edits of mine; they come back with PRESET=mine")
    with pytest.raises(InputError, match="did you mean 'mine'"):
        switch_preset(repo, "mien")
    told = switch_preset(repo, "mine")
    assert told == ["params.yaml: from params.mine.edited.yaml, which is gone now"]
    assert (repo / "params.yaml").read_text() == mine


def test_undone_edits_do_not_come_back(repo: Path) -> None:
    (repo / "params.yaml").write_text(LAB.replace("0.1", "0.3"))
    switch_preset(repo, "own")
    switch_preset(repo, "lab")
    (repo / "params.yaml").write_text(LAB)
    switch_preset(repo, "own")
    switch_preset(repo, "lab")
    assert (repo / "params.yaml").read_text() == LAB


def test_same_preset_again_changes_nothing(repo: Path) -> None:
    edited = LAB.replace("0.1", "0.3")
    (repo / "params.yaml").write_text(edited)
    (told,) = switch_preset(repo, "lab")
    assert "with your edits" in told
    assert (repo / "params.yaml").read_text() == edited


def test_each_preset_has_its_own_lock(repo: Path) -> None:
    lab, own = "stages: {lab: {}}\n", "stages: {own: {}}\n"
    (repo / "dvc.lock").write_text(lab)
    switch_preset(repo, "own")
    assert not (repo / "dvc.lock").exists()
    (repo / "dvc.lock").write_text(own)
    switch_preset(repo, "lab")
    assert (repo / "dvc.lock").read_text() == lab
    switch_preset(repo, "own")
    assert (repo / "dvc.lock").read_text() == own


def test_the_committed_lock_comes_with_a_preset(repo: Path) -> None:
    (repo / "results" / "own").mkdir(parents=True)
    (repo / "results" / "own" / "dvc.lock").write_text("stages: {committed: {}}\n")
    told = switch_preset(repo, "own")
    assert told[-1] == "dvc.lock: from results/own/dvc.lock"
    assert "committed" in (repo / "dvc.lock").read_text()


def prepare(repo: Path) -> dict[str, object]:
    return read_yaml(repo / "params.yaml")["prepare"]


def test_pool_is_set_and_comments_stay(repo: Path) -> None:
    (repo / "my.jsonl").write_text("{}\n")
    told = switch_preset(repo, "own", "my.jsonl")
    assert told[-1] == "params.yaml: prepare.source = my.jsonl"
    assert "source: my.jsonl     # yours\n" in (repo / "params.yaml").read_text()
    digest = hashlib.sha256(b"{}\n").hexdigest()
    assert prepare(repo) == {"source": "my.jsonl", "source_sha256": digest, "rows": "all"}
    # A second time there is nothing to write.
    before = (repo / "params.yaml").stat().st_mtime_ns
    assert switch_preset(repo, "own", "my.jsonl") == []
    assert name_source(repo) == []
    assert (repo / "params.yaml").stat().st_mtime_ns == before


def test_an_edited_pool_is_noticed(repo: Path) -> None:
    (repo / "my.jsonl").write_text("{}\n")
    switch_preset(repo, "own", "my.jsonl")
    (repo / "my.jsonl").write_text("[]\n")
    assert name_source(repo) == ["params.yaml: prepare.source = my.jsonl, which has been edited"]
    assert prepare(repo)["source_sha256"] == hashlib.sha256(b"[]\n").hexdigest()


def test_an_edited_score_file_is_noticed(repo: Path) -> None:
    text = f"{LAB}scorers:\n  mine: {{scorer: column, file: s.csv, column: q}} # mine\n"
    (repo / "params.yaml").write_text(text)
    assert name_score_files(repo) == []  # it is not there: the stage says so
    for scores in ("q\n1\n", "q\n2\n"):
        (repo / "s.csv").write_text(scores)
        assert name_score_files(repo) == ["params.yaml: scorers.mine.file_sha256, of s.csv"]
        assert name_score_files(repo) == []
        digest = hashlib.sha256(scores.encode()).hexdigest()
        wanted = text.replace("file: s.csv,", f"file: s.csv, file_sha256: {digest},")
        assert (repo / "params.yaml").read_text() == wanted


def test_a_source_without_a_hash_gets_none(repo: Path) -> None:
    assert name_source(repo) == []
    assert (repo / "params.yaml").read_text() == LAB


@pytest.mark.parametrize(
    ("preset", "pool", "told"),
    [
        ("onw", None, "conf/: no preset is called 'onw'; did you mean 'own'?"),
        ("other", None, "choices: lab, own"),
        ("own", "nothing.jsonl", "nothing.jsonl: no such file"),
        ("own", "nothing", "nothing: no such file"),
        ("own", "/dev/null", "/dev/null: no regular file"),
        ("own", "x" * 300, "no such file (File name too long)"),
        ("own", "~nobody-of-this-name/x.jsonl", "x.jsonl: no such file (Could not determine"),
        # A regular file, by its kind, that nobody can read the first byte of.
        ("own", "/proc/self/mem", "/proc/self/mem: cannot be read (Input/output error)"),
        ("own", "two\nlines.jsonl", "two lines.jsonl: no such file"),
        ("own", "folder/nothing.json", "folder/nothing.json: no such file"),
    ],
)
def test_bad_input_writes_nothing(repo: Path, preset: str, pool: str | None, told: str) -> None:
    (repo / "params.yaml").write_text(LAB.replace("0.1", "0.3"))
    before = {path: path.read_bytes() for path in repo.rglob("*") if path.is_file()}
    with pytest.raises(InputError) as caught:
        switch_preset(repo, preset, pool)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in repo.rglob("*") if path.is_file()} == before


def test_a_hub_id_is_a_pool(repo: Path) -> None:
    switch_preset(repo, "own", "tatsu-lab/alpaca")
    assert prepare(repo) == {"source": "tatsu-lab/alpaca", "rows": "all"}


def test_a_hub_id_at_a_revision_is_a_pool(repo: Path) -> None:
    switch_preset(repo, "own", "tatsu-lab/alpaca@refs/pr/1")
    assert prepare(repo) == {"source": "tatsu-lab/alpaca@refs/pr/1", "rows": "all"}
    with pytest.raises(InputError, match="no such file"):
        switch_preset(repo, "own", "me@work/my.jsonl")


def test_params_of_no_preset_are_not_written_over(repo: Path) -> None:
    (repo / "params.yaml").write_text("budget: 3\n")
    with pytest.raises(InputError, match="no `preset:` says"):
        switch_preset(repo, "own")
    assert (repo / "params.yaml").read_text() == "budget: 3\n"


def test_command(repo: Path) -> None:
    def preset(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import runpy; "
        code += "runpy.run_module('pipeline.make.preset', run_name='__main__')"
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=repo,
            capture_output=True,
            text=True,
            check=False,
        )

    ended = preset("own")
    assert ended.returncode == 0
    assert "preset: params.yaml: from conf/own.yaml" in ended.stdout
    ended = preset("wrong")
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    ended = preset()
    assert ended.returncode == 1
    assert "lab, own" in ended.stderr
