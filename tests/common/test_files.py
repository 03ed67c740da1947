"""Files are replaced whole or not at all, and every broken one is named in one line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import (
    file_hash,
    read_json,
    replacing,
    replacing_folder,
    value_hash,
    write_json,
)
from harness.common.schemas import (
    POOL,
    SCORES,
    SUBSET,
    PoolRows,
    read_frame,
    read_pool,
    write_frame,
)
from harness.common.stores import repo_root
from harness.embedding.embed import embedded_texts
from harness.embedding.files import read_embedding, user_embedding
from tests.helpers.damage import fail_in


def pool_frame(n: int = 3) -> pd.DataFrame:
    """A sound pool table."""
    text = [f"text {i}" for i in range(n)]
    messages = [json.dumps([{"role": "user", "content": t}]) for t in text]
    ids = [str(i) for i in range(n)]
    rows = np.arange(1, n + 1)
    return pd.DataFrame(
        {"id": ids, "row": rows, "prompt": text, "response": text, "messages": messages}
    )


def test_replacing_keeps_the_old_file_on_failure(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError):
        fail_in(replacing(path), "")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_replacing_folder_keeps_the_old_one_on_failure(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "old").touch()
    with pytest.raises(RuntimeError):
        fail_in(replacing_folder(folder), "half")
    assert os.listdir(folder) == ["old"]
    assert os.listdir(tmp_path) == ["a"]


def test_hashes(tmp_path: Path) -> None:
    assert value_hash({"b": 1, "a": [1, "ä"]}) == value_hash({"a": [1, "ä"], "b": 1})
    assert value_hash([1]) != value_hash([2])
    (tmp_path / "x").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1.
    assert file_hash(tmp_path / "x").startswith("ba7816bf8f01cfea414140de5dae2223")


def test_read_json_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json: no such file"):
        read_json(tmp_path / "none.json")
    (tmp_path / "half.json").write_text('{"a":')
    with pytest.raises(InputError, match=r"half\.json: not JSON"):
        read_json(tmp_path / "half.json")
    (tmp_path / "deep.json").write_text("[" * 200_000)
    with pytest.raises(InputError, match=r"deep\.json: not JSON"):
        read_json(tmp_path / "deep.json")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "nan.json", {"a": float("nan")})
    assert not (tmp_path / "nan.json").exists()


def test_frames_round_trip(tmp_path: Path) -> None:
    frame = pool_frame()
    write_frame(tmp_path / "pool.parquet", frame, POOL)
    pd.testing.assert_frame_equal(read_frame(tmp_path / "pool.parquet", POOL), frame)
    scores = pd.DataFrame({"id": ["a"], "length": [1.0], "ifd": [np.nan]})
    write_frame(tmp_path / "scores.parquet", scores, SCORES)
    empty = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in SUBSET.columns})
    write_frame(tmp_path / "subset.parquet", empty, SUBSET)
    assert len(read_frame(tmp_path / "subset.parquet", SUBSET)) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.assign(id=["a", "b", "a"]), r"row 1: pool : duplicates|row 3"),
        (lambda f: f.assign(prompt=["x", " ", "y"]), r"row 2: pool prompt: is blank"),
        (lambda f: f.assign(response=["x", None, "y"]), r"row 2: pool response: .*null"),
        (lambda f: f.assign(row=[1.5, 2.0, 3.0]), r"pool row: wrong datatype"),
        (lambda f: f.drop(columns="messages"), r"columns missing \['messages'\]"),
        (lambda f: f.assign(more=1), r"unknown \['more'\]"),
    ],
)
def test_bad_frames_are_not_written(tmp_path: Path, change: object, message: str) -> None:
    path = tmp_path / "pool.parquet"
    with pytest.raises(InputError, match=message) as error:
        write_frame(path, change(pool_frame()), POOL)  # pyright: ignore[reportCallIssue]
    assert "\n" not in str(error.value)
    assert not path.exists()


def test_broken_parquet_is_named(tmp_path: Path) -> None:
    path = tmp_path / "pool.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match=r"pool\.parquet: not a Parquet file"):
        read_frame(path, POOL)


def test_embedding_of_another_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pool, folder = tmp_path / "pool.parquet", layout.EMBEDDINGS / "minilm"
    write_frame(pool, pool_frame(), POOL)
    card = {"pool_sha256": file_hash(pool), "rows": 3, "dimensions": 2}
    write_json(folder / "card.json", card)
    np.save(folder / "vectors.npy", np.ones((3, 2), dtype=np.float32))
    assert read_embedding("minilm", pool).shape == (3, 2)
    write_frame(pool, pool_frame(4), POOL)
    with pytest.raises(InputError, match=r"embeds another pool than .*dvc repro embed@minilm"):
        read_embedding("minilm", pool)
    with pytest.raises(InputError, match=r"shape \(3, 2\); the pool has 4 rows"):
        user_embedding(folder / "vectors.npy", 4)
    with pytest.raises(InputError, match=r"none\.npy: no such embedding file"):
        user_embedding(tmp_path / "none.npy", 4)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([["a"], ["b"]]), "an embedding is of floats"),
        (np.array([[1.0], [np.nan]]), "row 2 is NaN, infinite or all zeros"),
        (np.array([[0.0], [1.0]]), "row 1 is NaN, infinite or all zeros"),
        (np.array([1.0, 2.0]), r"shape \(2,\); the pool has 2 rows"),
        (None, "not a .npy array"),
    ],
)
def test_bad_embeddings_of_the_user(tmp_path: Path, array: np.ndarray | None, message: str) -> None:
    path = tmp_path / "mine.npy"
    if array is None:
        path.touch()
    else:
        np.save(path, array)
    with pytest.raises(InputError, match=message) as error:
        user_embedding(path, 2)
    assert "\n" not in str(error.value)


def test_the_pool_is_read_as_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"pool\.parquet: no such file; dvc repro prepare"):
        read_pool()
    frame = pool_frame(4).assign(id=list("abcd"))
    write_frame(layout.POOL_FILE, frame, POOL)
    pool = read_pool()
    assert (len(pool), pool.ids, pool.names[1]) == (4, list("abcd"), "instance 'b'")
    assert [one[0]["content"] for one in pool.conversations()] == frame["prompt"].tolist()
    some = [pool.take([2, 0]), pool.take(np.array([2, 0])), pool.with_ids(["c", "a"])]
    assert {tuple(one.ids) for one in some} == {("c", "a")}
    assert [one[0]["content"] for one in some[2].conversations()] == ["text 2", "text 0"]
    assert pool.take(slice(1, 3)).ids == ["b", "c"]
    assert pool.take(np.array([False, True, False, False])).ids == ["b"]
    # What a kept result depends on: the ids and the messages, in their order.
    changed = [pool.take([1, 0, 2, 3]), PoolRows(frame.assign(id=list("abce"))), pool.take([0, 1])]
    assert len({one.hash() for one in (pool, *changed)}) == 4
    assert PoolRows(frame.assign(prompt="x")).hash() == pool.hash()


def test_embedded_texts() -> None:
    rows = PoolRows(pool_frame(1).assign(prompt="ask", response="answer"))
    assert embedded_texts(rows, "prompt") == ["ask"]
    assert embedded_texts(rows, "prompt_completion") == ["ask\nanswer"]


def test_repo_root_from_an_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "repo" / ".dvc" / "tmp" / "exps" / "tmpabc" / "runs"
    copy.mkdir(parents=True)
    (copy.parent / "dvc.yaml").touch()
    (tmp_path / "repo" / "dvc.yaml").touch()
    monkeypatch.chdir(copy)
    assert repo_root() == tmp_path / "repo"
    monkeypatch.chdir(tmp_path / "repo")
    assert repo_root() == tmp_path / "repo"


@pytest.mark.parametrize(
    ("raised", "status", "message"),
    [
        (
            "InputError('pool.jsonl, row 3: no response')",
            1,
            "error: pool.jsonl, row 3: no response",
        ),
        ("OSError(28, 'No space left', 'data/x')", 1, "error: data/x: the disk is full"),
        ("OSError(30, 'Read-only', 'results')", 1, "error: results: the file system is read-only"),
    ],
)
def test_a_stage_ends_with_one_line(raised: str, status: int, message: str) -> None:
    code = (
        "from harness.common.errors import InputError\nfrom pipeline.stage import main\n"
        f"def run():\n    'A stage.'\n    raise {raised}\nmain(run)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == status
    assert done.stderr.startswith(message)
    assert len(done.stderr.splitlines()) == 1
