"""Embeddings and scores of a user's pool are made once, by what they are made of, and resumed."""

import json
import logging
import os
from pathlib import Path

import numpy as np
import pytest

from harness.common.schemas import PoolRows
from harness.common.stores import keeping
from harness.embedding.embed import BLOCK, make_embedding
from harness.params.params import EmbeddingParams
from harness.select_command.arguments import parse
from harness.select_command.choices import read_choices
from harness.select_command.inputs import pool_vectors
from harness.select_command.pool_file import read_pool
from tests.helpers.select_files import chosen, pool, select, words


def kept(folder: Path) -> dict[str, int]:
    """The embeddings in the cache, with the times they were written."""
    result = folder.glob("cache/embeddings/*/embedding.npy")
    return {str(path): path.stat().st_mtime_ns for path in result}


def first_block(whole: Path, vectors: np.ndarray) -> Path:
    """The first block as a killed run leaves it beside an embedding's place."""
    block = whole.parent / "blocks/block_00000000.npy"
    with keeping(block) as temporary:
        np.save(temporary, vectors)
    return block


def test_an_embedding_is_made_once(
    encoder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, out = pool(tmp_path), tmp_path / "out.jsonl"
    given = ("k_center", "--force", "--embedding-model", str(encoder))
    select(path, out, *given)
    first, picks = kept(tmp_path), chosen(out)
    assert len(first) == 1
    with caplog.at_level(logging.INFO):
        select(path, out, *given)
    assert "embedding of 40 rows found in the cache" in caplog.text
    assert kept(tmp_path) == first
    # Other texts, and other texts of the same rows, are other embeddings.
    select(path, out, *given, "--embedding-text", "prompt")
    pool(tmp_path, 39)
    select(path, out, *given)
    assert len(kept(tmp_path)) == 3
    # What is damaged is made again.
    pool(tmp_path)
    os.truncate(next(iter(first)), 500)
    select(path, out, *given)
    assert chosen(out) == picks
    assert kept(tmp_path)[next(iter(first))] != first[next(iter(first))]


def test_a_killed_embedding_resumes(encoder: Path, tmp_path: Path) -> None:
    path, out = pool(tmp_path, BLOCK + 9), tmp_path / "out.jsonl"
    given = ("k_center", "--force", "--embedding-model", str(encoder))
    select(path, out, *given)
    whole = Path(next(iter(kept(tmp_path))))
    vectors = np.load(whole)
    assert vectors.shape == (BLOCK + 9, 16)
    # As after a kill in the second block: the first must not be made again.
    assert not np.array_equal(vectors[0], vectors[1])
    marked = np.array(vectors)
    marked[0] = marked[1]
    first_block(whole, marked[:BLOCK])
    whole.unlink()
    select(path, out, *given)
    again = np.load(whole)
    np.testing.assert_array_equal(again[0], vectors[1])
    np.testing.assert_array_equal(again[1:], vectors[1:])
    listed = sorted(p.name for p in whole.parent.iterdir())
    assert listed == [".lock", "embedding.npy", "files.json", "reads.json"]


@pytest.mark.parametrize("damage", ["cut", "empty", "other record", "no record"])
def test_a_killed_embedding_that_is_damaged_begins_again(
    encoder: Path, tmp_path: Path, damage: str
) -> None:
    path, out = pool(tmp_path), tmp_path / "out.jsonl"
    given = ("k_center", "--force", "--embedding-model", str(encoder))
    select(path, out, *given)
    whole = Path(next(iter(kept(tmp_path))))
    vectors = np.load(whole)
    whole.unlink()
    block = first_block(whole, vectors[:BLOCK])
    if damage in ("cut", "empty"):
        os.truncate(block, 200 if damage == "cut" else 0)
    else:
        np.save(block, np.ones_like(vectors))
        record = f'{{"{block.name}": 1}}' if damage == "other record" else "[0"
        block.with_name("files.json").write_text(record)
    select(path, out, *given)
    np.testing.assert_array_equal(np.load(whole), vectors)


def test_minilm_embeds_as_in_the_pipeline(tmp_path: Path) -> None:
    path, out = pool(tmp_path, 6), tmp_path / "out.jsonl"
    select(path, out, "random", "--embedding-model", "minilm")
    choices = read_choices(parse(words(path, out, "k_center")))
    pool_rows = PoolRows(read_pool(choices).frame)
    assert choices.embedding is not None
    result, _, _ = pool_vectors(choices.embedding, pool_rows, choices.cache)
    (tmp_path / "scratch").mkdir()
    want = make_embedding(pool_rows, EmbeddingParams(), tmp_path / "scratch")[0]
    np.testing.assert_array_equal(result, want)
    assert len(kept(tmp_path)) == 1
    info = json.loads((tmp_path / "out.jsonl.provenance.json").read_text())["embedding"]
    assert info["model"] == "minilm"


def test_a_models_scores_are_made_once(
    tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, out = pool(tmp_path, 6), tmp_path / "out.jsonl"
    ppl = f"ppl=perplexity,model={tiny_model},template=alpaca_short"
    given = ("top_k", "--force", "--quality", "ppl * rank(length)", "--score", ppl)
    select(path, out, *given)
    first = out.read_bytes(), (tmp_path / "out.jsonl.provenance.json").read_bytes()
    caplog.clear()
    with caplog.at_level(logging.INFO):
        select(path, out, *given)
    assert "score ppl of 6 rows found in the cache" in caplog.text
    assert (out.read_bytes(), (tmp_path / "out.jsonl.provenance.json").read_bytes()) == first
    info = json.loads(first[1])["scores"]
    assert set(info) == {"ppl", "length"}
    assert info["ppl"]["model"] == str(tiny_model)
    # What is damaged is made again.
    for size in (0, 60, 150):
        os.truncate(next(tmp_path.glob("cache/scores/*/column.npy")), size)
        select(path, out, *given)
        assert out.read_bytes() == first[0]
    # Another scorer uses what was read for the first.
    ifd = ppl.replace("ppl=perplexity", "ifd=ifd")
    caplog.clear()
    with caplog.at_level(logging.INFO):
        select(path, out, *given[:2], "--quality", "ifd", "--score", ifd)
    assert "responses for ifd of 6 rows found in the cache" in caplog.text
    # Another knob, and another pool, are other scores.
    select(path, out, *given[:-1], f"{ppl},max_length=64")
    pool(tmp_path, 7)
    select(path, out, *given)
    assert len(list(tmp_path.glob("cache/scores/*/column.npy"))) == 4


def test_the_cache_is_where_the_desktop_standard_says(monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["--pool", "p", "--sampler", "random", "--budget", "1", "--out", "o.jsonl"]
    monkeypatch.setenv("XDG_CACHE_HOME", "/there")
    assert read_choices(parse(given)).cache == Path("/there/subset-bench")
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", "/me")
    assert read_choices(parse(given)).cache == Path("/me/.cache/subset-bench")
    assert read_choices(parse([*given, "--cache", "here"])).cache == Path("here")
