"""`make preset`: switching keeps the user's edits, the comments and each preset's lock."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from harness.common.errors import InputError
from harness.common.yaml_files import read_yaml
from pipeline.make.preset import preset_text, presets, switch_preset
from pipeline.make.source_hashes import record_pool, record_score_files, record_templates
from tests.helpers.chat_models import CHATML, byte_level
from tests.helpers.conf_folder import LAB, OWN, write_conf

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_conf(tmp_path)
    monkeypatch.chdir(tmp_path)
    # These toys have too few keys for it; test_preset_conf.py has all.
    monkeypatch.setattr("pipeline.make.preset.check_values", lambda values, file: [])
    return tmp_path


def test_presets_are_the_params_files_of_conf(repo: Path) -> None:
    assert sorted(presets(repo)) == ["lab", "own"]


def test_the_repository_is_in_its_default_preset() -> None:
    # As committed: a user's own edits are no defect of the repository.
    command = ["git", "show", "HEAD:params.yaml"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    committed = shown.stdout if shown.returncode == 0 else (ROOT / "params.yaml").read_bytes()
    assert committed.decode() == preset_text(ROOT, "lab")


MERGED = {
    "defaults": ("selections", "selections_scored", "selections_rounds"),
    "base_model": ("base_models",),
    "reward_model": ("reward_models",),
}


@pytest.mark.parametrize("name", presets(ROOT))
def test_a_preset_is_the_base_with_what_it_changes(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # test_pins.py has what the pins add.
    monkeypatch.setattr("pipeline.make.preset.pinned", lambda text, values, pins: text)

    def merge(base: object, changes: object) -> object:
        if not (isinstance(base, dict) and isinstance(changes, dict) and base and changes):
            return changes
        return base | {key: merge(base.get(key), value) for key, value in changes.items()}

    texts, extended = [], name
    while extended:
        text = (ROOT / "conf" / f"{extended}.yaml").read_text()
        match = re.search(r"^extends: (\w+)\n", text, re.M)
        texts.insert(0, text.replace(match[0], "") if match else text)
        extended = match[1] if match else "base" if extended != "base" else ""
    # As one document, so that aliases have their anchors; the sections of each file are marked.
    marked = [
        re.sub(r"^(?=\w)", f"m{place}_", text, flags=re.M) for place, text in enumerate(texts)
    ]
    values = YAML(typ="safe").load("".join(marked))
    wanted: Any = {}
    for place in range(len(texts)):
        mark = f"m{place}_"
        own = {key.removeprefix(mark): values[key] for key in values if key.startswith(mark)}
        wanted = merge(wanted, own)
    # What entries have by `<<: *defaults` follows a preset's change to those.
    # Other models, by `<<: *base_model` and `<<: *reward_model`, too.
    for source, tables in MERGED.items():
        was, now = values[f"m0_{source}"], wanted[source]
        for table in tables:
            for item in wanted[table].values():
                item |= {key: now[key] for key in now if item.get(key) == was.get(key)}
    assert YAML(typ="safe").load(preset_text(ROOT, name)) == wanted


def test_switch_says_what_it_writes(repo: Path) -> None:
    assert switch_preset(repo, "own") == ["params.yaml: from conf/own.yaml"]
    assert (repo / "params.yaml").read_text() == OWN
    assert not list(repo.glob("params.*.edited.yaml"))


def test_edits_go_aside_and_come_back(repo: Path) -> None:
    edited = LAB.replace("0.1", "0.3").replace("# a share", "# mine")
    (repo / "params.yaml").write_text(edited)
    lines = switch_preset(repo, "own")
    assert lines[0].startswith("params.lab.edited.yaml: your edits of lab")
    assert (repo / "params.yaml").read_text() == OWN
    lines = switch_preset(repo, "lab")
    assert "params.lab.edited.yaml" in lines[0]
    assert (repo / "params.yaml").read_text() == edited


def kept(repo: Path) -> dict[str, str]:
    """The files in which edits wait, by name."""
    return {path.name: path.read_text() for path in repo.glob("params.*.edited.yaml")}


def test_kept_edits_go_only_when_they_come_back(repo: Path) -> None:
    edited = LAB.replace("0.1", "0.3")
    (repo / "params.yaml").write_text(edited)
    switch_preset(repo, "own")
    (repo / "params.yaml").write_text(LAB)  # as `git checkout` does
    lines = switch_preset(repo, "lab")
    assert lines[1] == (
        "params.lab.edited.yaml: other edits of lab; cp params.lab.edited.yaml params.yaml"
    )
    assert switch_preset(repo, "own") == ["params.yaml: from conf/own.yaml"]
    assert kept(repo) == {"params.lab.edited.yaml": edited}
    lines = switch_preset(repo, "lab")
    assert lines[0] == "params.yaml: from params.lab.edited.yaml, with your edits"
    assert (kept(repo), (repo / "params.yaml").read_text()) == ({}, edited)
    # The remedy that a second `make preset` names.
    (line,) = switch_preset(repo, "lab")
    assert line == (
        "params.yaml holds lab already, with your edits;"
        " rm params.yaml && make preset PRESET=lab undoes them"
    )
    (repo / "dvc.lock").write_text("stages: {lab: {}}\n")
    (repo / "params.yaml").unlink()
    assert switch_preset(repo, "lab") == ["params.yaml: from conf/lab.yaml"]
    assert (repo / "params.yaml").read_text() == LAB
    assert (repo / "dvc.lock").read_text() == "stages: {lab: {}}\n"


def test_edits_never_replace_others_that_are_kept(repo: Path) -> None:
    first, second = (LAB.replace("0.1", value) for value in ("0.3", "0.4"))
    (repo / "params.yaml").write_text(first)
    (repo / "dvc.lock").write_text("stages: {lab: {}}\n")
    switch_preset(repo, "own")
    (repo / "params.yaml").write_text(second)
    before = {path: path.read_bytes() for path in repo.rglob("*") if path.is_file()}
    with pytest.raises(InputError) as caught:
        switch_preset(repo, "own")
    assert str(caught.value) == (
        "params.lab.edited.yaml: other edits of lab, and params.yaml has new ones;"
        " rename or remove it, then switch"
    )
    assert {path: path.read_bytes() for path in repo.rglob("*") if path.is_file()} == before
    # The same edits a second time are no others.
    (repo / "params.yaml").write_text(first)
    switch_preset(repo, "own")
    assert kept(repo) == {"params.lab.edited.yaml": first}
    lines = switch_preset(repo, "lab")
    assert (repo / "params.yaml").read_text() == first
    assert lines[-1] == "dvc.lock: from .store/locks/lab.lock"
    assert kept(repo) == {}


def test_params_of_no_file_in_conf_come_back_too(repo: Path) -> None:
    mine = LAB.replace("preset: lab", "preset: mine")
    (repo / "params.yaml").write_text(mine)
    assert switch_preset(repo, "mine") == ["params.yaml holds mine already"]
    lines = switch_preset(repo, "own")
    assert lines[0].endswith("your edits of mine; they come back with PRESET=mine")
    with pytest.raises(InputError, match="did you mean 'mine'"):
        switch_preset(repo, "mien")
    lines = switch_preset(repo, "mine")
    assert lines == ["params.yaml: from params.mine.edited.yaml, with your edits"]
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
    (line,) = switch_preset(repo, "lab")
    assert "with your edits" in line
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
    lines = switch_preset(repo, "own")
    assert lines[-1] == "dvc.lock: from results/own/dvc.lock"
    assert "committed" in (repo / "dvc.lock").read_text()


def prepare(repo: Path) -> dict[str, object]:
    return read_yaml(repo / "params.yaml")["prepare"]


def test_pool_is_set_and_comments_stay(repo: Path) -> None:
    (repo / "my.jsonl").write_text("{}\n")
    lines = switch_preset(repo, "own", "my.jsonl")
    assert lines[-1] == "params.yaml: prepare.source = my.jsonl"
    assert "source: my.jsonl     # yours\n" in (repo / "params.yaml").read_text()
    digest = hashlib.sha256(b"{}\n").hexdigest()
    assert prepare(repo) == {"source": "my.jsonl", "source_sha256": digest, "rows": "all"}
    # A second time there is nothing to write.
    before = (repo / "params.yaml").stat().st_mtime_ns
    assert switch_preset(repo, "own", "my.jsonl") == []
    assert record_pool(repo) == []
    assert (repo / "params.yaml").stat().st_mtime_ns == before


def test_an_edited_pool_is_noticed(repo: Path) -> None:
    (repo / "my.jsonl").write_text("{}\n")
    switch_preset(repo, "own", "my.jsonl")
    (repo / "my.jsonl").write_text("[]\n")
    assert record_pool(repo) == ["params.yaml: prepare.source = my.jsonl, which has been edited"]
    assert prepare(repo)["source_sha256"] == hashlib.sha256(b"[]\n").hexdigest()


def test_an_edited_score_file_is_noticed(repo: Path) -> None:
    text = f"{LAB}scorers:\n  mine: {{scorer: column, file: s.csv, column: q}} # mine\n"
    (repo / "params.yaml").write_text(text)
    assert record_score_files(repo) == []  # it is not there: the stage says so
    for scores in ("q\n1\n", "q\n2\n"):
        (repo / "s.csv").write_text(scores)
        assert record_score_files(repo) == ["params.yaml: scorers.mine.file_sha256, of s.csv"]
        assert record_score_files(repo) == []
        digest = hashlib.sha256(scores.encode()).hexdigest()
        wanted = text.replace("file: s.csv,", f"file: s.csv, file_sha256: {digest},")
        assert (repo / "params.yaml").read_text() == wanted


def test_every_base_model_of_a_folder_has_the_hash_of_its_template(repo: Path) -> None:
    text = (
        f"{LAB}template: alpaca_short\nbase_model: &base {{source: scratch, seed: 0}}\n"
        "base_models:  # others\n  mine: {<<: *base, source: model, seed: 1}  # mine\n"
        "  wide: {<<: *base, seed: 2}\n"
    )
    (repo / "params.yaml").write_text(text)
    for template in (CHATML, CHATML + "{#- edited -#}"):
        byte_level(template).save_pretrained(repo / "model")
        (repo / "model" / "config.json").write_text('{"model_type": "llama"}')
        lines = record_templates(repo)
        assert lines == ["params.yaml: template_sha256, of the chat template of model"]
        assert record_templates(repo) == []
        digest = hashlib.sha256(template.encode()).hexdigest()
        wanted = text.replace("source: model,", f"source: model, template_sha256: {digest},")
        assert (repo / "params.yaml").read_text() == wanted


def test_a_source_without_a_hash_gets_none(repo: Path) -> None:
    assert record_pool(repo) == []
    assert (repo / "params.yaml").read_text() == LAB


@pytest.mark.parametrize(
    ("preset", "pool", "message"),
    [
        ("onw", None, "conf/: no preset is called 'onw'; did you mean 'own'?"),
        ("other", None, "choices: lab, own"),
        ("own", "nothing.jsonl", "nothing.jsonl: no such file"),
        ("own", "nothing", "nothing: no such file"),
        ("own", "/dev/null", "/dev/null: not a regular file"),
        ("own", "x" * 300, "no such file (File name too long)"),
        ("own", "~no-one-of-this-name/x.jsonl", "x.jsonl: no such file (Could not determine"),
        # A regular file, by its kind, whose first byte cannot be read.
        ("own", "/proc/self/mem", "/proc/self/mem: cannot be read (Input/output error)"),
        ("own", "two\nlines.jsonl", "two lines.jsonl: no such file"),
        ("own", "folder/nothing.json", "folder/nothing.json: no such file"),
    ],
)
def test_bad_input_writes_nothing(repo: Path, preset: str, pool: str | None, message: str) -> None:
    (repo / "params.yaml").write_text(LAB.replace("0.1", "0.3"))
    before = {path: path.read_bytes() for path in repo.rglob("*") if path.is_file()}
    with pytest.raises(InputError) as caught:
        switch_preset(repo, preset, pool)
    assert message in str(caught.value)
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


@pytest.mark.parametrize("line", ["budget: 3", 'preset: ""', "preset: ../lab", "preset: a.b"])
def test_params_of_no_preset_are_not_written_over(repo: Path, line: str) -> None:
    (repo / "params.yaml").write_text(f"{line}\n")
    before = sorted(repo.rglob("*"))
    with pytest.raises(InputError, match="`preset:` does not name a preset"):
        switch_preset(repo, "own")
    assert (repo / "params.yaml").read_text() == f"{line}\n"
    assert sorted(repo.rglob("*")) == before


def test_command(repo: Path) -> None:
    def preset(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import runpy; "
        code += "import harness.check.check as check; check.check_values = lambda *_: []; "
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


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "own",
            b"preset: own\ntrain: {epochs: 3}\ntrain: {epochs: 4}\n",
            "own.yaml, line 3: not",
        ),
        ("own", b"preset: own\n? [a]\n: 1\n", "own.yaml, line 2: not YAML: a key is no text"),
        ("own", b"preset: own\n\tx: 1\n", "own.yaml, line 2: not YAML: "),
        ("own", b"preset: own\na: *missing\n", "own.yaml, line 2: not YAML: "),
        ("own", b"preset: own\n# \xff\n", "own.yaml: not UTF-8"),
        ("own", b"preset: lab\n", "own.yaml: `preset: lab`; a preset has the name of its file"),
        ("base", b"preset: base\npreset: base\n", "base.yaml, line 2: not YAML: "),
        ("base", b"- a\n", "base.yaml: not a table of params"),
        ("base", b"# \xff\n", "base.yaml: not UTF-8"),
        ("base", None, "base.yaml: no such file"),
    ],
)
def test_a_broken_file_of_conf_is_one_line_and_nothing_is_written(
    repo: Path, name: str, content: bytes | None, message: str
) -> None:
    switch_preset(repo, "lab")
    path = repo / "conf" / f"{name}.yaml"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    before = {p: p.read_bytes() for p in repo.rglob("*") if p.is_file()}
    with pytest.raises(InputError) as error:
        switch_preset(repo, "own")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert before == {p: p.read_bytes() for p in repo.rglob("*") if p.is_file()}
