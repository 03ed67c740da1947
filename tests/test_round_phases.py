"""Phases of a round on tiny models: what they write, and what the journal makes of kills."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness import layout, phases, round_journal
from harness.feedback.scoring import FEEDBACK_SCORERS
from harness.files import read_json, write_json
from harness.judge_params import JudgeParams
from harness.models import load_model, load_tokenizer
from harness.round_journal import Recipe, ScratchJournal
from harness.rounds import Round
from harness.rounds_params import RoundsParams
from harness.template import render, tokenise
from harness.training_params import TrainParams
from tests.scored_rows import POOL, log_probability
from tests.test_scorers_reward import one_by_one, save_classifier

READ = {"batch_size": 4, "max_length": 128, "threads": 1, "device": "cpu", "seed": 3}
CONVERSATIONS = [json.loads(text) for text in POOL["messages"]]


@pytest.fixture(scope="module")
def reward(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_classifier(tiny_model, tmp_path_factory.mktemp("reward"))


def journal(folder: Path, **how: object) -> ScratchJournal:
    recipe = Recipe(
        name="some",
        seed=3,
        train=TrainParams(epochs=2, max_length=128),
        rounds=RoundsParams(batch_size=4, max_length=128, device="cpu", **how),  # pyright: ignore
        judge=JudgeParams(model="judge"),
        template="alpaca_short",
        judge_cache=folder / "judge.jsonl",
    )
    return ScratchJournal(folder, POOL, recipe)


@pytest.fixture
def base(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(layout, "BASE_MODEL", tiny_model)
    monkeypatch.setattr(round_journal.ScratchJournal, "model", tiny_model)
    return tiny_model


def test_scores_by_hand(tiny_model: Path, reward: Path) -> None:
    model, tokenizer = load_model(tiny_model).eval(), load_tokenizer(tiny_model)
    task = {**READ, "model": str(tiny_model)}
    scores, cost = FEEDBACK_SCORERS["perplexity"](task, CONVERSATIONS)
    for score, messages in zip(scores, CONVERSATIONS, strict=True):
        ids, _ = tokenise(tokenizer, messages)
        logs = [log_probability(model, ids[:i], ids[i]) for i in range(1, len(ids))]
        assert score == pytest.approx(-sum(logs) / len(logs), rel=1e-4)
    assert cost["tokens_scored"] == sum(len(tokenise(tokenizer, m)[0]) for m in CONVERSATIONS)
    task = {**READ, "reward_model": str(reward), "revision": None, "template": "alpaca_short"}
    scores, _ = FEEDBACK_SCORERS["reward_model"](task, CONVERSATIONS)
    tokenizer = load_tokenizer(reward)
    texts = [render(tokenizer, messages) for messages in CONVERSATIONS]
    ids = [tokenizer(text, add_special_tokens=False).input_ids for text in texts]
    logits = one_by_one(reward, ids)
    expected = [1 / (1 + math.exp(-logit)) for logit in logits]
    np.testing.assert_allclose(scores, expected, rtol=1e-4)


def test_a_round_asks_and_finds_again(base: Path, reward: Path, tmp_path: Path) -> None:
    rows = np.array([3, 0, 2])
    settings = {"max_new_tokens": 5, "temperature": 0.0, "scorer": "reward_model"}
    settings |= {"reward_model": str(reward), "revision": None}

    def ask() -> tuple[ScratchJournal, dict[str, np.ndarray]]:
        kept = journal(tmp_path)
        asked = kept.ask(1)
        asked.train(rows, 1, False)
        return kept, asked.observe("answer", rows, **settings)

    first, found = ask()
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/done.json")}
    assert [path.parent.name.split("_")[1] for path in sorted(stamps)] == [
        *("generate", "score", "train")
    ]
    again, same = ask()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/done.json")} == stamps
    np.testing.assert_array_equal(found["gold"], same["gold"])
    np.testing.assert_array_equal(found["generated"], same["generated"])
    answers = first.answers(1)
    assert isinstance(answers, pd.DataFrame)
    assert answers["id"].tolist() == ["d", "a", "c"]
    assert max(answers["tokens"].tolist()) <= 5
    cost = again.cost(1)
    assert cost["generated"] == 3
    assert cost["scored"] == 6
    assert cost["tokens_trained"] > 0
    # The weights go when the next round has ended, the rest stays.
    scores = np.array([0.5, np.nan])
    again.ended(Round(1, rows, told={"asked": 3, "cluster_scores": scores}, notes=["so"]))
    assert again.model.is_dir()
    told = read_json(tmp_path / "1_round.json")  # there as soon as the round has ended
    assert told["ids"] == ["d", "a", "c"]
    assert told["cluster_scores"] == [0.5, None]
    assert (told["round"], told["rows"], told["asked"], told["notes"]) == (1, 3, 3, ["so"])
    assert told["cost"] == cost
    again.ended(Round(2, rows))
    assert not again.model.exists()
    assert again.told[1]["seconds"] >= cost["seconds"]


def test_drawn_answers_differ_by_round_and_greedy_ones_do_not(base: Path, tmp_path: Path) -> None:
    rows = np.arange(4)
    settings = {"max_new_tokens": 8, "scorer": "perplexity"}
    kept = journal(tmp_path)
    kept.model = base
    texts: dict[float, list[list[str]]] = {0.0: [], 1.0: []}
    for temperature, number in [(0.0, 1), (0.0, 2), (1.0, 3), (1.0, 4)]:
        kept.ask(number).observe("answer", rows, temperature=temperature, **settings)
        found = kept.answers(number)
        assert found is not None
        texts[temperature].append(found["answer"].tolist())
    assert texts[0.0][0] == texts[0.0][1]
    assert all(a != b for a, b in zip(*texts[1.0], strict=True))


def test_what_is_asked_of_other_instances_is_asked_anew(base: Path, tmp_path: Path) -> None:
    kept = journal(tmp_path)
    one = kept.phase(1, "embed", np.array([0, 1]), {**READ, "model": str(base)})
    two = kept.phase(1, "embed", np.array([0, 2]), {**READ, "model": str(base)})
    assert one != two
    assert not one.exists()
    assert np.load(two / "embeddings.npy").shape[0] == 2


def test_warm_starts_go_on_from_the_last_model(base: Path, tmp_path: Path) -> None:
    kept = journal(tmp_path)
    kept.ask(1).train(np.array([0, 1]), 4, False)
    first = kept.model
    kept.ask(2).train(np.array([2]), 4, True)
    task = read_json(kept.model.parent / phases.TASK)
    assert task["base"] == str(first)
    cold = journal(tmp_path / "cold")
    cold.ask(2).train(np.array([2]), 4, False)
    warm_bytes = (kept.model / "model.safetensors").read_bytes()
    assert (cold.model / "model.safetensors").read_bytes() != warm_bytes


def test_a_model_that_generates_nothing(base: Path, reward: Path, tmp_path: Path) -> None:
    """Empty answers are scored as answers: they are what the model gives."""
    folder = tmp_path / "score"
    folder.mkdir()
    answers = pd.DataFrame({"id": POOL["id"], "answer": [""] * len(POOL)})
    answers.to_parquet(tmp_path / "answers.parquet")
    task = {**READ, "answers": str(tmp_path / "answers.parquet"), "template": "alpaca_short"}
    for scorer, more in {
        "perplexity": {"model": str(base)},
        "reward_model": {"reward_model": str(reward), "revision": None},
    }.items():
        write_json(folder / phases.TASK, {**task, **more, "scorer": scorer})
        POOL.to_parquet(folder / phases.ROWS)
        phases.run_phase("score", folder)
        scores = np.load(folder / "scores.npy")
        assert scores.shape == (2, len(POOL))
        assert np.isfinite(scores).all()
        assert (scores[0] != scores[1]).all()
