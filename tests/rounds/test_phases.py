"""Phases of a round on tiny models: what they write, and what the journal makes of kills."""

import logging
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.common.errors import InputError
from harness.common.files import folder_hash, read_json, remove, write_json
from harness.common.schemas import PoolRows
from harness.feedback.scoring import FEEDBACK_SCORERS, reading_flops
from harness.models.adapters import is_adapter, load_trained
from harness.models.loading import load_model, load_tokenizer
from harness.models.size import parameter_counts
from harness.models.template import render, tokenise
from harness.params.training import LoraParams
from harness.round_systems.loop import Round
from harness.rounds import phases
from harness.rounds.journal import ScratchJournal
from tests.helpers.classifiers import one_by_one, save_classifier
from tests.helpers.round_journal import READ, journal
from tests.helpers.scored_rows import POOL, log_probability, pair, pool_of

CONVERSATIONS = list(POOL.conversations())
EXCHANGES = list(zip(POOL.ids, CONVERSATIONS, strict=True))


@pytest.fixture(scope="module")
def reward(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_classifier(tiny_model, tmp_path_factory.mktemp("reward"))


def test_scores_by_hand(tiny_model: Path, reward: Path) -> None:
    model, tokenizer = load_model(tiny_model).eval(), load_tokenizer(tiny_model)
    task = {**READ, "model": str(tiny_model)}
    scores, cost = FEEDBACK_SCORERS["perplexity"](task, EXCHANGES)
    for score, messages in zip(scores, CONVERSATIONS, strict=True):
        ids, _ = tokenise(tokenizer, messages)
        logs = [log_probability(model, ids[:i], ids[i]) for i in range(1, len(ids))]
        assert score == pytest.approx(-sum(logs) / len(logs), rel=1e-4)
    assert cost["tokens_scored"] == sum(len(tokenise(tokenizer, m)[0]) for m in CONVERSATIONS)
    # All of a model with tied embeddings is multiplied.
    size = sum(weight.numel() for weight in model.parameters())
    assert cost["flops"] == 2 * size * cost["tokens_scored"]
    task = {**READ, "reward_model": str(reward), "revision": None, "template": "alpaca_short"}
    scores, _ = FEEDBACK_SCORERS["reward_model"](task, EXCHANGES)
    tokenizer = load_tokenizer(reward)
    texts = [render(tokenizer, messages) for messages in CONVERSATIONS]
    ids = [tokenizer(text, add_special_tokens=False).input_ids for text in texts]
    logits = one_by_one(reward, ids)
    expected = [1 / (1 + math.exp(-logit)) for logit in logits]
    np.testing.assert_allclose(scores, expected, rtol=1e-4)


def test_a_repeated_round_reuses_its_phases(base: Path, reward: Path, tmp_path: Path) -> None:
    rows = np.array([3, 0, 2])
    settings = {"max_new_tokens": 5, "temperature": 0.0, "scorer": "reward_model"}
    settings |= {"reward_model": str(reward), "revision": None}

    def ask() -> tuple[ScratchJournal, dict[str, np.ndarray]]:
        kept = journal(tmp_path)
        asked = kept.ask(1)
        asked.train(rows, 1, False)
        return kept, asked.observe("answer", rows, **settings)

    first, result = ask()
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/files.json")}
    assert [path.parent.name.split("_")[1] for path in sorted(stamps)] == [
        *("generate", "score", "train")
    ]
    again, same = ask()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/files.json")} == stamps
    np.testing.assert_array_equal(result["gold"], same["gold"])
    np.testing.assert_array_equal(result["generated"], same["generated"])
    answers = first.answers(1)
    assert isinstance(answers, pd.DataFrame)
    assert answers["id"].tolist() == ["d", "a", "c"]
    assert max(answers["tokens"].tolist()) <= 5
    cost = again.cost(1)
    assert cost["tokens_prompted"] > 0
    size = parameter_counts(base)["multiplied_parameters"]
    head = parameter_counts(reward)["multiplied_parameters"]
    read = cost["tokens_prompted"] + cost["tokens_generated"]
    asked = 6 * size * cost["tokens_trained"] + 2 * size * read
    assert cost["flops"] == asked + 2 * head * cost["tokens_scored"]
    assert cost["generated"] == 3
    assert cost["scored"] == 6
    assert cost["tokens_trained"] > 0
    # The weights go when the next round has ended, the rest stays.
    scores = np.array([0.5, np.nan])
    again.ended(Round(1, rows, report={"asked": 3, "cluster_scores": scores}, notes=["so"]))
    assert again.model.is_dir()
    info = read_json(tmp_path / "1_round.json")  # there as soon as the round has ended
    assert info["ids"] == ["d", "a", "c"]
    assert info["cluster_scores"] == [0.5, None]
    empty = "3 of 3 answers are empty: the model says nothing, and that is scored"  # blanks
    assert not any(text.strip() for text in answers["answer"])
    assert any(answers["answer"])
    assert (info["round"], info["rows"], info["asked"], info["notes"]) == (1, 3, 3, [empty, "so"])
    assert info["cost"] == cost
    again.ended(Round(2, rows))
    assert not again.model.exists()
    assert again.reports[1]["seconds"] >= cost["seconds"]


def test_drawn_answers_differ_by_round_and_greedy_ones_do_not(base: Path, tmp_path: Path) -> None:
    rows = np.arange(4)
    settings = {"max_new_tokens": 8, "scorer": "perplexity"}
    kept = journal(tmp_path)
    kept.model = base
    texts: dict[float, list[list[str]]] = {0.0: [], 1.0: []}
    for temperature, number in [(0.0, 1), (0.0, 2), (1.0, 3), (1.0, 4)]:
        kept.ask(number).observe("answer", rows, temperature=temperature, **settings)
        result = kept.answers(number)
        assert result is not None
        texts[temperature].append(result["answer"].tolist())
    assert texts[0.0][0] == texts[0.0][1]
    assert all(a != b for a, b in zip(*texts[1.0], strict=True))


def test_what_looking_at_a_model_reads_is_counted(
    base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    kept, rows, asked = journal(tmp_path), np.array([0, 4]), {**READ, "max_length": 40}
    asked |= {"model": str(base)}
    lengths = [len(tokenise(load_tokenizer(base), CONVERSATIONS[i])[0]) for i in rows]
    assert max(lengths) > 40 > min(lengths)
    kept.phase(1, "embed", rows, asked)
    kept.phase(2, "uncertainty", rows, {**asked, "criterion": "entropy"})
    read = sum(min(length, 40) for length in lengths)
    embedded, scored = ({**kept.cost(number), "seconds": 0} for number in (1, 2))
    same = {"flops": reading_flops(base, read), "texts_cut": 1, "seconds": 0}
    assert embedded == {"embedded": 2, "tokens_embedded": read, **same}
    assert scored == {"scored": 2, "tokens_scored": read, **same}
    message = (
        "1 of 2 texts (prompt and response) are longer than the 40 tokens that the model reads"
    )
    assert f"embed: {message}" in caplog.text
    assert f"entropy: {message}" in caplog.text
    assert caplog.text.count(f"{POOL.ids[rows[np.argmax(lengths)]]!r} first") == 2


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


def test_with_lora_every_phase_reads_the_base_and_an_adapter(base: Path, tmp_path: Path) -> None:
    """Whatever `keep_models` is, and as if the weights were merged."""
    rows, seen = np.array([0, 1, 3]), []
    for keep in ("adapter", "full"):
        kept = journal(tmp_path / keep, LoraParams(rank=4, alpha=64), keep)
        asked = kept.ask(1)
        asked.train(rows, 4, False)
        assert is_adapter(kept.model)
        answer = {"max_new_tokens": 4, "temperature": 0.0, "scorer": "perplexity"}
        result = asked.observe("embed", rows) | asked.observe("answer", rows, **answer)
        seen.append(result | asked.observe("uncertainty", rows, criterion="entropy"))
    for name, values in seen[0].items():
        np.testing.assert_array_equal(values, seen[1][name])
    merged = load_trained(kept.model, base)
    merged.save_pretrained(tmp_path / "merged")
    load_tokenizer(base).save_pretrained(tmp_path / "merged")
    for model, same in ((tmp_path / "merged", True), (base, False)):
        folder = kept.phase(2, "embed", rows, {**READ, "model": str(model)})
        assert np.allclose(np.load(folder / "embeddings.npy"), seen[0]["embeddings"]) is same


def test_with_lora_warm_starts_go_on_with_the_adapter(base: Path, tmp_path: Path) -> None:
    kept = journal(tmp_path, LoraParams(rank=4))
    kept.ask(1).train(np.array([0, 1]), 2, True)  # nothing to go on from yet
    first = kept.model
    assert "adapter" not in read_json(first.parent / phases.TASK)
    kept.ask(2).train(np.array([2]), 2, True)
    task = read_json(kept.model.parent / phases.TASK)
    assert (task["base"], task["adapter"]) == (str(base), str(first))
    weights = folder_hash(first)
    kept.ended(Round(2, np.array([2])))
    assert not first.exists()
    # A resumed run that has lost the second training makes the first one again.
    remove(kept.model.parent)
    again = journal(tmp_path, LoraParams(rank=4))
    again.ask(1).train(np.array([0, 1]), 2, True)
    again.ask(2).train(np.array([2]), 2, True)
    assert folder_hash(first) == weights


def score(folder: Path, rows: PoolRows, answers: list[str], **task: object) -> np.ndarray:
    """The scores of a phase of its own, (2, n); its folder is `folder / "score"`."""
    (folder / "score").mkdir(exist_ok=True)
    pd.DataFrame({"id": rows.ids, "answer": answers}).to_parquet(folder / "answers.parquet")
    asked = {**READ, "answers": str(folder / "answers.parquet"), "template": "alpaca_short"}
    write_json(folder / "score" / phases.TASK, {**asked, **task})
    rows.frame.to_parquet(folder / "score" / phases.ROWS)
    phases.run_phase("score", folder / "score")
    return np.load(folder / "score" / "scores.npy")


def test_a_model_that_generates_nothing(base: Path, reward: Path, tmp_path: Path) -> None:
    """Empty answers are scored as answers: they are what the model gives."""
    for task in scorers(base, reward):
        scores = score(tmp_path, POOL, [""] * len(POOL), **task)
        assert scores.shape == (2, len(POOL))
        assert np.isfinite(scores).all()
        assert (scores[0] != scores[1]).all()


def test_a_prompt_longer_than_the_context_is_reported_and_its_answers_still_differ(
    base: Path, reward: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    long = "start " + "five plus two is what? " * 100
    rows = pool_of(pair("One?", "1"), pair(long, "The capital is Lubi."), pair(long, "Two."))
    for task in scorers(base, reward):
        caplog.clear()
        scores = score(tmp_path, rows, ["2", "def f(x): return x", "Ten."], **task)
        assert np.isfinite(scores).all()
        assert (scores[0] != scores[1]).all()
        assert scores[0][1] != scores[0][2]
        assert "score: 4 of 6 texts" in caplog.text
        assert "longer than the 128 tokens that" in caplog.text
        assert "lose their beginning, 'b' first" in caplog.text
        cost = read_json(tmp_path / "score" / phases.COST)
        assert (cost["texts_cut"], cost["scored"]) == (4, 6)
        # The end is what is read, and all of it counts.
        folder = task.get("reward_model", base)
        model, tokenizer = load_model(base).eval(), load_tokenizer(Path(str(folder)))
        ids = [tokenise(tokenizer, one)[0][-128:] for one in rows.conversations()]
        if task["scorer"] == "perplexity":
            logs = [log_probability(model, ids[1][:i], ids[1][i]) for i in range(1, 128)]
            assert scores[0][1] == pytest.approx(-sum(logs) / 127, rel=1e-4)
        else:
            logits = one_by_one(reward, ids)
            expected = [1 / (1 + math.exp(-logit)) for logit in logits]
            np.testing.assert_allclose(scores[0], expected, rtol=1e-4)


def test_prompt_and_answer_stay_within_what_a_model_reads(
    base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    kept = journal(tmp_path)
    kept.pool = pool_of(pair("One?", "1"), long := pair("five plus two is what? " * 5, "Ten."))
    tokenizer = load_tokenizer(base)
    prompt = tokenizer(render(tokenizer, long[:1], add_generation_prompt=True)).input_ids
    task = {**READ, "model": str(base), "temperature": 0.0, "max_new_tokens": 40}
    most = len(prompt) + 40
    assert most < load_model(base).config.max_position_embeddings
    for length, cut in ((most, False), (most - 1, True)):
        asked = {**task, "max_length": length}
        folder = kept.phase(1, "generate", np.array([0, 1]), asked)
        answers = pd.read_parquet(folder / "answers.parquet")
        assert answers["cut"].tolist() == [False, cut]
    message = f"1 of 2 prompts are longer than the {most - 1} tokens that the model reads less 40"
    assert caplog.text.count("1 of 2 prompts") == caplog.text.count(message) == 1
    with pytest.raises(InputError, match="max_new_tokens: 40 leaves a prompt no room in the 40"):
        kept.phase(2, "generate", np.array([0, 1]), {**task, "max_length": 40})


def scorers(base: Path, reward: Path) -> list[dict[str, object]]:
    """What tasks say of the scorers that need no network."""
    return [
        {"scorer": "perplexity", "model": str(base)},
        {"scorer": "reward_model", "reward_model": str(reward), "revision": None},
    ]
