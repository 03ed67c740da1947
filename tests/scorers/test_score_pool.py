"""Columns are kept: a killed run does only what is missing, a new scorer only its own column."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoModelForSequenceClassification, LlamaForCausalLM
from trl.trainer.reward_trainer import suppress_seqcls_warning

from harness.common.errors import InputError
from harness.common.files import folder_hash
from harness.common.schemas import SCORES, PoolRows, check_frame
from harness.common.stores import keeping, seal
from harness.models.loading import load_tokenizer
from harness.models.template import tokenise
from harness.params.params import ScorerParams
from harness.scorers import SCORERS, score_pool
from harness.scorers import chunks as chunks_module
from tests.helpers.scored_rows import POOL, pair, pool_of, with_columns

ROOT = Path(__file__).resolve().parents[2]
WORDS = ["two", "three", "five", "Zanu", "Lubi", "capital", "return", "naïve", "Grüße", "one"]
SCRIPT = """
import json
from pathlib import Path
import pandas as pd
import harness.scorers.chunks
from harness.params.params import ScorerParams
from harness.common.schemas import PoolRows
from harness.scorers.score_pool import make_scores
harness.scorers.chunks.CHUNK = 64
pool = PoolRows(pd.read_parquet("pool.parquet"))
scores, costs = make_scores(pool, {"perplexity": ScorerParams(scorer="perplexity")})
Path("costs.json").write_text(json.dumps(costs))
scores.to_parquet("scores.parquet", index=False)
"""


def make_scores(pool: PoolRows, scorers: dict, prune: bool = False) -> pd.DataFrame:
    """The scores without what they cost."""
    return score_pool.make_scores(pool, scorers, prune)[0]


def scorer(name: str, **knobs: object) -> ScorerParams:
    return ScorerParams.model_validate({"scorer": name, **knobs})


@pytest.fixture
def repo(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like the repository, with a base model."""
    shutil.copytree(tiny_model, tmp_path / "data/base_models/main")
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def many(rows: int) -> PoolRows:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, 3 + i % 17)) for i in range(rows)]
    pool = pool_of(*[pair(f"Say {text}.", text) for text in texts])
    return with_columns(pool, id=[f"row_{i}" for i in range(rows)])


def run(folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", SCRIPT], cwd=folder, env=environment)


def tokens_of(folder: Path, pool: PoolRows) -> int:
    """Those of all conversations under the base model of a folder."""
    tokenizer = load_tokenizer(folder / "data/base_models/main")
    return sum(len(tokenise(tokenizer, messages)[0]) for messages in pool.conversations())


def chunks(folder: Path) -> list[Path]:
    return sorted(folder.glob(".store/scores/*/chunk_*.npy"))


def test_a_killed_run_resumes(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many(900).frame.to_parquet(repo / "pool.parquet")
    process = run(repo)
    end = time.monotonic() + 120
    while len(chunks(repo)) < 2:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < end
        time.sleep(0.002)
    process.kill()
    process.wait()
    done = {path: path.stat().st_mtime_ns for path in chunks(repo)}
    assert 2 <= len(done) < 15
    assert not (repo / "scores.parquet").exists()
    # What is there is taken as it is: a mark in what was kept comes back.
    first = next(iter(done))
    marked = np.load(first)
    marked[0, 0] = 0.0  # the loss of a response that is certain
    with keeping(first) as temporary:
        np.save(temporary, marked)
    assert run(repo).wait() == 0
    assert not chunks(repo)
    # What it took in all is not known: the killed run's part of it is gone. What it read is.
    cost = json.loads((repo / "costs.json").read_text())["perplexity"]
    assert cost["responses"]["seconds"] is None
    assert cost["responses"]["tokens"] == tokens_of(repo, many(900))
    assert cost["seconds"] >= 0
    scores = pd.read_parquet(repo / "scores.parquet")
    result = scores["perplexity"].to_numpy()
    assert result[0] == 1.0
    # Without the mark, the column is that of an undisturbed run, bit by bit.
    monkeypatch.setattr(chunks_module, "CHUNK", 64)
    whole = SCORERS["perplexity"](PoolRows(pd.read_parquet(repo / "pool.parquet")), None)
    assert whole[1:].tobytes() == result[1:].tobytes()


def test_chunks_done_are_not_done_again(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks_module, "CHUNK", 4)
    pool, scratch = many(10), tmp_path / "scratch"
    scratch.mkdir()
    whole = SCORERS["ifd"](pool, scratch)
    files = sorted(scratch.glob("chunk_*.npy"))
    before = {path: path.stat().st_mtime_ns for path in files}
    assert len(files) == 3
    bytes_before = folder_hash(scratch)
    files[1].unlink()
    again = SCORERS["ifd"](pool, scratch)
    assert again.tobytes() == whole.tobytes()
    assert folder_hash(scratch) == bytes_before
    stamps = {path: path.stat().st_mtime_ns for path in files}
    assert [path for path in files if stamps[path] != before[path]] == [files[1]]


def test_a_column_is_made_once(repo: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = make_scores(POOL, {"ppl": scorer("perplexity"), "length": scorer("length")})
    check_frame(first, SCORES, "made")
    assert first.columns.tolist() == ["id", "ppl", "length"]
    [kept] = repo.glob(".store/scores/*/column.npy")
    # A mark in the store shows that the column is taken from there.
    column = np.load(kept)
    with keeping(kept) as temporary:
        np.save(temporary, column + 1000)
    more = {"p2": scorer("perplexity"), "ifd": scorer("ifd"), "length": scorer("length")}
    second = make_scores(POOL, more)
    np.testing.assert_array_equal(second["p2"], first["ppl"] + 1000)
    np.testing.assert_allclose(second["ifd"], SCORERS["ifd"](POOL, None))
    assert len(list(repo.glob(".store/scores/*/column.npy"))) == 2


def test_what_a_column_cost_is_kept_with_it(repo: Path) -> None:
    table = {"p": scorer("perplexity"), "n": scorer("length")}
    first = score_pool.make_scores(POOL, table)[1]
    assert first["n"] == {"scorer": "length", "rows": 0, "tokens": 0, "seconds": 0.0}
    own = {key: first["p"][key] for key in ("scorer", "rows", "tokens")}
    assert own == {"scorer": "perplexity", "rows": 0, "tokens": 0}
    shared = first["p"]["responses"]
    assert shared["first"] == "p"
    assert (shared["rows"], shared["tokens"]) == (len(POOL), tokens_of(repo, POOL))
    assert shared["seconds"] > 0
    assert score_pool.make_scores(POOL, table)[1] == first, "of its making, not of its reading"


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of each forward pass of a Llama, as they are made."""
    rows: list[int] = []
    forward: Any = LlamaForCausalLM.forward

    def counted(model: LlamaForCausalLM, ids: torch.Tensor, **how: object) -> object:
        rows.append(len(ids))
        return forward(model, ids, **how)

    monkeypatch.setattr(LlamaForCausalLM, "forward", counted)
    return rows


TURNS = 6  # of the assistant in POOL, one of whose five rows has two
BOTH = {"p": scorer("perplexity"), "i": scorer("ifd")}


@pytest.mark.parametrize("order", [["p", "i"], ["i", "p"]])
def test_responses_are_read_once_for_perplexity_and_ifd(
    repo: Path, passes: list[int], order: list[str]
) -> None:
    for name in order:
        make_scores(POOL, {name: BOTH[name]})
    assert sum(passes) == len(POOL) + TURNS
    passes.clear()
    scores, costs = score_pool.make_scores(POOL, BOTH)
    assert passes == []
    alone = {name: SCORERS[BOTH[name].scorer](POOL, None) for name in order}
    assert sum(passes) == 2 * len(POOL) + TURNS
    assert all(scores[name].to_numpy().tobytes() == alone[name].tobytes() for name in order)
    assert costs["p"]["responses"] == costs["i"]["responses"]
    assert costs["i"]["responses"]["first"] == "p"  # in the table
    tokenizer = load_tokenizer(repo / "data/base_models/main")
    learnt = [sum(tokenise(tokenizer, one)[1]) for one in POOL.conversations()]
    # A turn alone follows one token.
    assert (costs["i"]["rows"], costs["i"]["tokens"]) == (len(POOL), sum(learnt) + TURNS)


def test_scores_of_one_call_share_what_is_read(repo: Path, passes: list[int]) -> None:
    ratio = scorer("ifd", ratio="perplexity", model="data/base_models/main")
    make_scores(POOL, {**BOTH, "r": ratio})  # the same model by another name
    assert sum(passes) == len(POOL) + 2 * TURNS
    passes.clear()
    make_scores(POOL, {"p": scorer("perplexity", max_length=30)})
    make_scores(POOL, {"p": scorer("perplexity", batch_size=3)})
    assert sum(passes) == 2 * len(POOL)


def test_responses_are_kept_as_long_as_a_column_uses_them(repo: Path, passes: list[int]) -> None:
    make_scores(POOL, BOTH, prune=True)
    make_scores(POOL, {"p": BOTH["p"]}, prune=True)
    passes.clear()
    make_scores(POOL, BOTH, prune=True)
    assert sum(passes) == TURNS
    make_scores(POOL, {"n": scorer("length")}, prune=True)
    assert not list((repo / ".store/scores").glob("*/"))


def test_damaged_responses_are_read_again(repo: Path, passes: list[int]) -> None:
    make_scores(POOL, {"p": BOTH["p"]})
    [kept] = repo.glob(".store/scores/*/responses.npy")
    data = kept.read_bytes()
    kept.write_bytes(bytes([*data[:-1], data[-1] ^ 1]))
    passes.clear()
    scores = make_scores(POOL, BOTH)
    assert sum(passes) == len(POOL) + TURNS
    assert kept.read_bytes() == data
    assert scores["i"].to_numpy().tobytes() == SCORERS["ifd"](POOL, None).tobytes()


def test_what_a_reward_model_reads_is_counted(repo: Path, tiny_model: Path) -> None:
    with suppress_seqcls_warning():
        model = AutoModelForSequenceClassification.from_pretrained(tiny_model, num_labels=1)
    model.config.pad_token_id = 0
    model.save_pretrained(repo / "mine")
    load_tokenizer(tiny_model).save_pretrained(repo / "mine")
    cost = score_pool.make_scores(POOL, {"r": scorer("reward_model", model="mine")})[1]["r"]
    assert (cost["rows"], cost["tokens"]) == (len(POOL), tokens_of(repo, POOL))
    assert "responses" not in cost


def changed(repo: Path, what: str) -> tuple[PoolRows, ScorerParams]:
    """The pool and scorer with one thing changed."""
    pool, item = POOL, scorer("perplexity")
    if what == "row":
        frame = POOL.take([0, 1, 2, 3, 0]).frame.assign(id=list("abcde"))
        pool = PoolRows(frame.reset_index(drop=True))
    elif what == "knob":
        item = scorer("perplexity", max_length=20)
    elif what == "weights":
        from harness.models.loading import load_model

        model = load_model(repo / "data/base_models/main")
        torch.nn.init.zeros_(model.get_parameter("model.embed_tokens.weight"))
        model.save_pretrained(repo / "data/base_models/main")
    elif what == "template":
        path = repo / "data/base_models/main/chat_template.jinja"
        path.write_text(path.read_text().replace("Instruction", "Question"))
    seal(repo / "data/base_models/main")  # as the stage does
    return pool, item


@pytest.mark.parametrize("what", ["row", "knob", "weights", "template"])
def test_what_a_column_depends_on_makes_it_anew(repo: Path, what: str) -> None:
    first = make_scores(POOL, {"p": scorer("perplexity")})["p"]
    pool, item = changed(repo, what)
    second = make_scores(pool, {"p": item})["p"]
    assert first.tolist() != second.tolist()
    assert len(list(repo.glob(".store/scores/*/column.npy"))) == 2


def test_columns_no_longer_named_are_dropped(repo: Path) -> None:
    table = {"p": scorer("perplexity"), "i": scorer("ifd"), "n": scorer("length")}
    make_scores(POOL, table)
    (repo / ".store/scores/half").mkdir()
    np.save(repo / ".store/scores/half/chunk_00000000.npy", np.zeros((2, 3)))
    make_scores(POOL, {"p": table["p"]})
    assert len(list((repo / ".store/scores").glob("*/"))) == 4
    make_scores(POOL, {"p": table["p"]}, prune=True)
    left = sorted(path.name for path in (repo / ".store/scores").glob("*/*.npy"))
    assert left == ["column.npy", "responses.npy"]
    assert len(list((repo / ".store/scores").glob("*/"))) == 2


def test_other_scorers_code_is_not_in_a_columns_key() -> None:
    assert len({score_pool.scorer_code(name) for name in SCORERS}) == len(SCORERS)


def test_a_model_that_gives_nan_is_reported_with_the_instance(repo: Path) -> None:
    base = repo / "data/base_models/main"
    tokenizer = load_tokenizer(base)
    with suppress_seqcls_warning():
        model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    rows = POOL.conversations()
    words = [{*tokenizer(" ".join(m["content"] for m in row)).input_ids} for row in rows]
    only = min(words[2] - set.union(*words[:2], *words[3:]))
    with torch.no_grad():
        model.get_parameter("model.embed_tokens.weight")[only] = float("nan")
    model.config.pad_token_id = 0
    model.save_pretrained(repo / "nan")
    tokenizer.save_pretrained(repo / "nan")
    with pytest.raises(InputError) as error:
        make_scores(POOL, {"reward": scorer("reward_model", model="nan")})
    line = "scorer reward_model: its model gives instance 'c' the score nan; scores are finite"
    assert str(error.value).startswith(line)
    assert not list(repo.glob(".store/scores/*/*.npy"))


def test_a_base_model_that_was_not_made_names_its_stage(repo: Path) -> None:
    shutil.rmtree(repo / "data/base_models")
    message = r"base_models/main: no such folder; dvc repro base_model$"
    with pytest.raises(InputError, match=message):
        make_scores(POOL, {"perplexity": scorer("perplexity")})


def test_a_reward_model_that_was_not_made_is_reported(repo: Path) -> None:
    table = {"reward": scorer("reward_model")}
    with pytest.raises(
        InputError, match=r"reward_models/main: no such folder; dvc repro reward_model"
    ):
        make_scores(POOL, table)
    folder = repo / "data/reward_models/main"
    folder.mkdir(parents=True)
    (folder / "reward_model.json").write_text("{}")
    seal(folder)
    rule = "data/reward_models/main: holds no model, as there were no preference pairs"
    with pytest.raises(InputError, match=rule):
        make_scores(POOL, table)


def test_an_empty_table_of_scorers_is_legal(repo: Path) -> None:
    scores = make_scores(POOL, {})
    assert scores.columns.tolist() == ["id"]
    check_frame(scores, SCORES, "made")
