"""A turn of weight 0 is read by models, and learnt by none."""

import json
from pathlib import Path

import pytest

from harness.models.loading import load_tokenizer
from harness.models.template import TEMPLATES, Messages, ensure_template, render
from harness.params.prepare import PrepareParams
from harness.pools.instances import Instance, to_frame
from harness.pools.preferences import make_preferences
from harness.pools.prepare import prepare_section
from harness.scorers.rating import learnt_pairs
from harness.training.sft import encode_rows
from tests.helpers.pool_files import lines, messages, read, weighted

TURNS = (("user", "first?"), ("assistant", "WRONG"), ("user", "again?"), ("assistant", "right"))
IGNORED = -100


def half_learnt(path: Path) -> list[Instance]:
    """A conversation whose first answer is not to be learnt, read from a file."""
    row = messages(*TURNS)
    row["messages"][1]["weight"] = 0
    path.write_bytes(lines(row))
    return read(path).kept


@pytest.mark.parametrize("name", TEMPLATES)
def test_its_labels_are_left_out(tiny_model: Path, tmp_path: Path, name: str) -> None:
    tokenizer = load_tokenizer(tiny_model)
    tokenizer.chat_template = None
    ensure_template(tokenizer, name)
    frame = to_frame(half_learnt(tmp_path / "pool.jsonl"))
    rows: list[Messages] = [json.loads(text) for text in frame["messages"]]
    encoded, _, _ = encode_rows(tokenizer, rows, 1000)
    labels = [label for label in encoded[0]["labels"] if label != IGNORED]
    assert tokenizer.decode(labels) == f"right{tokenizer.eos_token}"
    # The model sees the whole conversation all the same.
    assert tokenizer.decode(encoded[0]["input_ids"]) == render(
        tokenizer, messages(*TURNS)["messages"]
    )


def test_no_scorer_rates_it_and_no_pair_is_made_of_it(tmp_path: Path) -> None:
    kept = half_learnt(tmp_path / "pool.jsonl")
    assert learnt_pairs(kept[0].messages) == [("again?", "right")]
    other = [Instance(str(i), i, messages(*TURNS[2:])["messages"]) for i in (2, 3)]
    pairs = make_preferences([*kept, *other], 10, 0)
    assert "WRONG" not in {*pairs["chosen"], *pairs["rejected"]}


def test_the_scratch_model_does_not_learn_its_language_from_it(tmp_path: Path) -> None:
    half_learnt(tmp_path / "base.jsonl")
    (tmp_path / "pool.jsonl").write_bytes(lines({"instruction": "Say hi.", "output": "Hi."}))
    params = PrepareParams.model_validate(
        {
            "source": str(tmp_path / "pool.jsonl"),
            "sources": {"base": {"path": str(tmp_path / "base.jsonl")}},
            "pretraining": [{"name": "base", "source": "base"}],
        }
    )
    assert prepare_section(params).pretraining["text"].tolist() == ["first?\n\nagain?\n\nright"]


@pytest.mark.parametrize("field", ["weight", "train", "training", "loss"])
def test_a_turn_that_is_not_to_be_learnt_is_marked(tmp_path: Path, field: str) -> None:
    path = tmp_path / "pool.jsonl"
    path.write_bytes(lines(weighted(field)))
    kept = read(path).kept[0]
    assert kept.messages == [
        {"role": "user", "content": "first?"},
        {"role": "assistant", "content": "WRONG", "weight": 0},
        {"role": "user", "content": "again?"},
        {"role": "assistant", "content": "right"},
    ]
    assert kept.learnt_text == "first?\n\nagain?\n\nright"


def test_what_follows_the_last_learnt_answer_is_left_off(tmp_path: Path) -> None:
    turns = [("user", "a", None), ("assistant", "b", 1), ("user", "c", None)]
    path = tmp_path / "pool.jsonl"
    path.write_bytes(lines(weighted("train", *turns, ("assistant", "WRONG", False))))
    kept = read(path).kept[0]
    assert (kept.prompt, kept.response) == ("a", "b")
