"""Kept files that are damaged are made again, equal to the byte, with a line that says so."""

import json
import logging
import math
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import folder_hash, read_json, replacing_folder
from harness.common.schemas import PoolRows
from harness.common.stores import keeping, kept, read_sealed, seal, take_kept
from harness.embedding.embed import BLOCK, embed
from harness.feedback.judge.judge import judge
from harness.params.judge import JudgeParams
from harness.params.params import ScorerParams
from harness.scorers import chunks
from harness.scorers.score_pool import make_scores
from pipeline.make.durations import Durations
from tests.helpers.damage import HARMS, Harm, a_folder, fail_in, flipped, gone
from tests.helpers.judge_server import pairs, rated, serving
from tests.helpers.scored_rows import POOL
from tests.helpers.select_files import pool, select
from tests.helpers.small_repo import ROOT, environment

AGAIN = "it is made again"
ALTERED = "not what was written there"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sealed folder of two files, one of them in a sub-folder."""
    made = tmp_path / "kept"
    (made / "model").mkdir(parents=True)
    (made / "one.json").write_text('{"one": 1}')
    (made / "model/weights").write_bytes(bytes(range(200)))
    seal(made)
    return made


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of the log since the last call."""
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    caplog.clear()
    return lines


def a_pipe(path: Path) -> None:
    """A pipe stands in its place: who reads it waits without end."""
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("harm", [*HARMS, a_pipe])
@pytest.mark.parametrize("name", ["one.json", "model/weights", "files.json"])
def test_a_sealed_folder(
    folder: Path, name: str, harm: Harm, caplog: pytest.LogCaptureFixture
) -> None:
    listed = kept(folder)
    assert listed is not None
    assert sorted(listed) == ["model/weights", "one.json"]
    assert read_sealed(folder, "dvc repro x") == listed
    assert not warned(caplog)
    harm(folder / name)
    assert kept(folder) is None
    how = "no such file" if harm is gone else ALTERED
    assert warned(caplog) == [f"{folder / name}: {how}; {AGAIN}"]
    with pytest.raises(InputError) as error:
        read_sealed(folder, "dvc repro x")
    assert str(error.value) == f"{folder / name}: {how}; dvc repro x"


def test_every_bit_of_a_folder_counts(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    for path in [p for p in folder.rglob("*") if p.is_file()]:
        data = path.read_bytes()
        for place in range(len(data)):
            path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
            # A space for another sign of no meaning is no other list.
            assert kept(folder) is None or json.loads(path.read_text()) == json.loads(data)
        path.write_bytes(data)
    caplog.clear()
    assert kept(folder) is not None


def test_what_is_new_in_a_folder_counts_and_locks_do_not(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / ".lock").write_text("1")
    (folder / ".one.json.tmp1.abcdefgh.json").write_text("half")
    assert kept(folder) is not None
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert kept(folder) is None
    assert warned(caplog) == [f"{folder / 'chat_template.jinja'}: {ALTERED}; {AGAIN}"]


def test_a_sub_folder_may_be_dropped_whole_and_not_in_part(folder: Path) -> None:
    (folder / "model/weights").unlink()
    assert kept(folder, dropped="model") is None
    (folder / "model").rmdir()
    assert kept(folder, dropped="model") is not None
    assert kept(folder) is None


def test_what_was_never_sealed_is_not_there(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert kept(tmp_path / "never") is None
    assert not warned(caplog), "there is nothing to report"
    with pytest.raises(InputError, match=r"never: no such folder; dvc repro x"):
        read_sealed(tmp_path / "never", "dvc repro x")
    for text in ("[]", "null", '{"one.json": 3}', "{}", '{"one.json": null}'):
        (folder / "files.json").write_text(text)
        assert kept(folder) is None
    # A kill while it is sealed: the folder is not there yet, or still the old one.
    seal(folder)
    before = folder_hash(folder)
    with pytest.raises(RuntimeError):
        fail_in(replacing_folder(folder), "one.json")
    assert kept(folder) is not None
    assert folder_hash(folder) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads all")
def test_what_may_not_be_read_is_made_again(folder: Path) -> None:
    (folder / "one.json").chmod(0)
    assert kept(folder) is None


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("name", ["a.npy", "files.json"])
def test_a_kept_file(
    tmp_path: Path, name: str, harm: Harm, caplog: pytest.LogCaptureFixture
) -> None:
    file, other = tmp_path / "a.npy", tmp_path / "b.npy"
    assert not take_kept(file)
    for path in (file, other):
        with keeping(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, np.arange(30.0))
    assert take_kept(file)
    assert take_kept(other)
    assert not warned(caplog)
    harm(tmp_path / name)
    assert not take_kept(file)
    assert take_kept(other) == (name == "a.npy")
    how = ALTERED if name == "a.npy" else "not listed (made by an older version)"
    expected = [] if (name, harm) == ("a.npy", gone) else [f"{file}: {how}; {AGAIN}"]
    assert warned(caplog)[:1] == expected
    assert not file.exists()
    with keeping(file) as temporary, temporary.open("wb") as stream:
        np.save(stream, np.arange(30.0))
    assert take_kept(file)


def test_a_file_that_was_not_finished_is_not_kept(tmp_path: Path) -> None:
    """Killed between the list and the file's own name, or before either."""
    file = tmp_path / "a.txt"
    with pytest.raises(RuntimeError):
        fail_in(keeping(file), "")
    assert not take_kept(file)
    with keeping(file) as temporary:
        temporary.write_text("whole")
    file.unlink()
    assert not take_kept(file)


def kept_scores(folder: Path, base: Path) -> object:
    given = {"scorer": "perplexity", "model": str(base), "template": "alpaca_short"}
    frame, costs = make_scores(POOL, {"p": ScorerParams.model_validate(given)})
    assert costs["p"]["seconds"] is not None
    return frame["p"].tolist()


def kept_chunks(folder: Path, base: Path) -> object:
    def score(rows: PoolRows, step: chunks.Step) -> tuple[np.ndarray, ...]:
        return rows.frame["row"].to_numpy() / 7, np.zeros(len(rows)), np.ones(len(rows))

    (folder / "scratch").mkdir(exist_ok=True)
    return chunks.in_chunks(POOL, "any", folder / "scratch", score, 9).tolist()


def kept_blocks(folder: Path, base: Path) -> object:
    (folder / "scratch").mkdir(exist_ok=True)
    texts = [f"text {i}" for i in range(BLOCK + 9)]
    return embed(texts, str(base), None, folder / "scratch").tolist()


def kept_selections(folder: Path, base: Path) -> object:
    path, out = pool(folder), folder / "out.jsonl"
    select(path, out, "k_center", "--force", "--embedding-model", str(base))
    return out.read_bytes()


def kept_selection_scores(folder: Path, base: Path) -> object:
    path, out = pool(folder, 6), folder / "out.jsonl"
    score = f"ppl=perplexity,model={base},template=alpaca_short"
    select(path, out, "top_k", "--force", "--quality", "ppl", "--score", score)
    return out.read_bytes()


# Whether the model is a sentence encoder, and the files that are kept.
KINDS: list[tuple[Callable[[Path, Path], object], bool, str]] = [
    (kept_scores, False, ".store/scores/*/column.npy"),
    (kept_scores, False, ".store/scores/*/column_cost.json"),
    (kept_chunks, False, "scratch/chunk_00000002.npy"),
    (kept_chunks, False, "scratch/files.json"),
    (kept_blocks, True, "scratch/block_00000000.npy"),
    (kept_blocks, True, "scratch/files.json"),
    (kept_selections, True, "cache/embeddings/*/embedding.npy"),
    (kept_selections, True, "cache/embeddings/*/files.json"),
    (kept_selection_scores, False, "cache/scores/*/column.npy"),
]


@pytest.mark.parametrize("harm", [flipped, a_folder])
@pytest.mark.parametrize(("make", "encodes", "pattern"), KINDS)
def test_what_is_damaged_is_made_again(
    tiny_model: Path,
    encoder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    make: Callable[[Path, Path], object],
    encodes: bool,
    pattern: str,
    harm: Harm,
) -> None:
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(chunks, "CHUNK", 2)
    base = encoder if encodes else tiny_model
    whole = make(tmp_path, base)
    (path,) = tmp_path.glob(pattern)
    data = path.read_bytes()
    caplog.clear()
    harm(path)
    assert make(tmp_path, base) == whole
    lines = [line for line in warned(caplog) if "made again" in line]
    assert lines
    assert all(str(path.parent) in line for line in lines)
    if path.name != "column_cost.json":  # seconds differ
        assert path.read_bytes() == data
    assert make(tmp_path, base) == whole
    assert not warned(caplog)


def test_the_exponent_of_a_kept_score(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bit, and a score of 3 is one of 5e307: still a finite number."""
    monkeypatch.setattr(chunks, "CHUNK", 2)
    whole = kept_chunks(tmp_path, tmp_path)
    path = tmp_path / "scratch/chunk_00000000.npy"
    values = np.load(path)
    data = bytearray(path.read_bytes())
    first = data.index(values[0, 0].tobytes())
    data[first + 7] ^= 0x40
    path.write_bytes(data)
    assert math.isfinite(np.load(path)[0, 0])
    assert abs(np.load(path)[0, 0]) > 1e300
    assert kept_chunks(tmp_path, tmp_path) == whole
    assert warned(caplog) == [f"{path}: {ALTERED}; {AGAIN}"]


def test_one_block_of_an_embedding(
    encoder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = kept_blocks(tmp_path, encoder)
    path = tmp_path / f"scratch/block_{BLOCK:08d}.npy"
    flipped(path)
    assert kept_blocks(tmp_path, encoder) == whole
    assert warned(caplog) == [f"{path}: {ALTERED}; {AGAIN}"]


@pytest.mark.usefixtures("key_stays_out")
def test_every_bit_of_a_judges_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = tmp_path / "answers.jsonl"
    with serving(lambda place, seen: rated("I say [[7]].")) as server:
        params = JudgeParams(base_url=server.url, model="m", concurrency=1)
        whole = judge(pairs(2), params, cache).scores.tolist()
        data = cache.read_bytes()
        first = data.index(b"\n")
        for place in range(0, first, 7):
            cache.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
            caplog.clear()
            judged = judge(pairs(2), params, cache)
            assert judged.scores.tolist() == whole
            assert (judged.asked, judged.cached) == (1, 1)
            assert f"{cache}: 1 lines are torn or altered and skipped" in caplog.text
        cache.write_bytes(b"[" * 200_000 + b"\n" + data)
        caplog.clear()
        assert judge(pairs(2), params, cache).asked == 0
        assert f"{cache}: 1 lines are torn or altered and skipped" in caplog.text
        # Answers of before there was a hash, or a flaw, were paid for as well.
        rows = [json.loads(line) for line in data.splitlines()]
        since = {"sha256", "flaw"}
        old = [{name: value for name, value in row.items() if name not in since} for row in rows]
        cache.write_text("".join(json.dumps(row) + "\n" for row in old))
        assert judge(pairs(2), params, cache).asked == 0


@pytest.mark.parametrize("harm", HARMS)
def test_durations_that_are_damaged_begin_anew(
    tmp_path: Path, harm: Harm, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "durations/lab.json"
    Durations(path).record("train@a", 12.5)
    assert Durations(path).own == {"train@a": 12.5}
    harm(path)
    assert Durations(path, {"train@a": 3.0}).estimate("train@a") == 3.0
    assert warned(caplog) == ([] if harm is gone else [f"{path}: {ALTERED}; {AGAIN}"])
    Durations(path).record("train@a", 12.5)
    assert Durations(path).own == {"train@a": 12.5}


STAGE = """
from pathlib import Path
from harness.common.files import replacing_folder
from harness.common.stores import seal
with replacing_folder(Path("data/base_models/main")) as folder:
    (folder / "config.json").write_text('{"a": 1}')
    seal(folder)
"""


def test_the_remedy_helps_where_dvc_sees_no_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bit that turns on the disk leaves size and time as they were, which DVC goes by."""
    monkeypatch.chdir(tmp_path)
    env = {**environment(), "PYTHONPATH": str(ROOT)}

    def dvc(*words: str) -> str:
        done = subprocess.run(["dvc", *words], env=env, capture_output=True, text=True, check=True)
        return done.stdout

    dvc("init", "--no-scm")
    (tmp_path / "make.py").write_text(STAGE)
    stage = "  base_model: {cmd: python make.py, outs: [data/base_models/main]}\n"
    (tmp_path / "dvc.yaml").write_text("stages:\n" + stage)
    dvc("repro")
    path = layout.BASE_MODEL / "config.json"
    times = path.stat()
    flipped(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert "didn't change, skipping" in dvc("repro", "base_model")
    with pytest.raises(InputError, match=f"{path}: {ALTERED}; dvc repro base_model"):
        read_sealed(layout.BASE_MODEL, "dvc repro base_model")
    dvc("repro", "base_model")
    assert read_sealed(layout.BASE_MODEL, "dvc repro base_model")
    assert read_json(path) == {"a": 1}
