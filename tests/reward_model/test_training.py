"""The reward model: trained by the real trainer on a tiny model, measured, and always the same."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from harness.common.errors import InputError
from harness.common.files import file_hash, read_json
from harness.common.schemas import PREFERENCES, write_frame
from harness.common.stores import kept
from harness.models.loading import load_tokenizer
from harness.models.size import parameter_counts
from harness.models.template import tokenise
from harness.params.reward_model import RewardParams
from harness.reward_model.make import make_reward_model
from harness.reward_model.training import train_reward
from harness.scorers.reward_model import reward_model
from tests.helpers.preference_pairs import PARAMS, pairs_of
from tests.helpers.scored_rows import pair, pool_of


def weights(folder: Path) -> str:
    return file_hash(folder / "model.safetensors")


@pytest.fixture(scope="module")
def made(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A reward model trained on 160 pairs, and train_reward's report."""
    out = tmp_path_factory.mktemp("reward")
    unseen = pairs_of(40, "garbled")
    return out, train_reward(tiny_model, pairs_of(160), out, PARAMS, unseen)


def test_it_learns_which_response_is_right(made: tuple[Path, dict[str, Any]]) -> None:
    folder, info = made
    assert info["pairs"] == {"trained": 144, "held_out": 16, "too_long": 0}
    assert info["steps"] == 4 * 18
    # Both responses of each pair, in each of four epochs; a held-out tenth is not trained on.
    tokenizer, table = load_tokenizer(folder), pairs_of(160)
    both = zip(table["prompt"], table["chosen"], table["rejected"], strict=True)
    lengths = sorted(sum(len(tokenise(tokenizer, pair(q, a))[0]) for a in row) for q, *row in both)
    assert 4 * sum(lengths[:144]) <= info["tokens"] <= 4 * sum(lengths[16:])
    assert set(info["accuracy"]) == {"all", "truncated", "off_topic"}
    assert info["accuracy"]["all"] > 0.9
    assert set(info["accuracy_unseen"]) == {"all", "garbled"}
    curve = info["loss_curve"]
    assert curve[0]["loss"] == pytest.approx(np.log(2), abs=0.1)
    assert curve[-1]["loss"] < 0.2
    assert sorted(path.suffix for path in folder.iterdir() if path.suffix in (".bin", ".md")) == []
    # Its scores are those the scorer gives: right answers above wrong ones.
    new = pairs_of(170).iloc[160:]
    texts = [new["prompt"], new["chosen"], new["rejected"]]
    rows = [(pair(q, a), pair(q, b)) for q, a, b in zip(*texts, strict=True)]
    scores = reward_model(pool_of(*[one for row in rows for one in row]), model=str(folder))
    assert (scores[::2] > scores[1::2]).mean() > 0.8


def test_the_same_arguments_give_the_same_bytes(
    made: tuple[Path, dict[str, Any]], tiny_model: Path, tmp_path: Path
) -> None:
    folder, info = made
    torch.manual_seed(99)  # whatever came before
    again = train_reward(tiny_model, pairs_of(160), tmp_path / "again", PARAMS)
    for path in sorted(folder.iterdir()):
        assert file_hash(path) == file_hash(tmp_path / "again" / path.name), path.name
    assert again["loss_curve"] == info["loss_curve"]
    assert again["accuracy"] == info["accuracy"]
    assert "accuracy_unseen" not in again
    other = PARAMS.model_copy(update={"seed": 1, "epochs": 1})
    train_reward(tiny_model, pairs_of(40), tmp_path / "other", other)
    assert weights(folder) != weights(tmp_path / "other")


def test_held_out_pairs_are_not_trained_on(tiny_model: Path, tmp_path: Path) -> None:
    """Labels turned round in what is held out do not move a weight."""
    from harness.reward_model.training import _split

    params = PARAMS.model_copy(update={"epochs": 1})
    table = pairs_of(40)
    trained, held = _split(40, params.seed)
    assert sorted([*trained, *held]) == list(range(40))
    assert len(held) == 4
    turned = table.copy()
    turned.loc[held, ["chosen", "rejected"]] = table.loc[held, ["rejected", "chosen"]].to_numpy()
    first = train_reward(tiny_model, table, tmp_path / "a", params)
    second = train_reward(tiny_model, turned, tmp_path / "b", params)
    assert weights(tmp_path / "a") == weights(tmp_path / "b")
    assert first["accuracy"]["all"] == pytest.approx(1 - second["accuracy"]["all"])


def test_pairs_that_are_too_long_are_left_out(tiny_model: Path, tmp_path: Path) -> None:
    table = pairs_of(30)
    table.loc[3, "chosen"] = "la " * 300
    table.loc[4, "rejected"] = "la " * 300
    params = PARAMS.model_copy(update={"epochs": 1})
    info = train_reward(tiny_model, table, tmp_path / "m", params)
    assert info["pairs"] == {"trained": 25, "held_out": 3, "too_long": 2}
    short = PARAMS.model_copy(update={"max_length": 5})
    rule = "0 of 30 pairs fit 5 tokens, 2 are needed; raise reward_model.max_length"
    with pytest.raises(InputError, match=rule):
        train_reward(tiny_model, table, tmp_path / "n", short)


def test_a_weaker_model_learns_from_the_first_pairs_and_is_measured_on_the_same(
    tiny_model: Path, tmp_path: Path
) -> None:
    from harness.reward_model.training import _split

    few = PARAMS.model_copy(update={"pairs": 20, "epochs": 1})
    table = pairs_of(40)
    turned = table.copy()
    unread = _split(40, few.seed)[0][20:]
    turned.loc[unread, ["chosen", "rejected"]] = table.loc[
        unread, ["rejected", "chosen"]
    ].to_numpy()
    info = train_reward(tiny_model, table, tmp_path / "m", few)
    assert info["pairs"] == {"trained": 20, "held_out": 4, "too_long": 0}
    train_reward(tiny_model, turned, tmp_path / "n", few)
    assert weights(tmp_path / "m") == weights(tmp_path / "n")
    more = few.model_copy(update={"pairs": 1000})
    assert train_reward(tiny_model, table, tmp_path / "o", more)["pairs"]["trained"] == 36
    assert weights(tmp_path / "m") != weights(tmp_path / "o")


def test_without_pairs_the_model_is_missing_and_its_json_says_why(
    tiny_model: Path, tmp_path: Path
) -> None:
    write_frame(tmp_path / "pairs.parquet", pairs_of(0), PREFERENCES)
    make_reward_model(PARAMS, tiny_model, tmp_path / "pairs.parquet", tmp_path / "reward")
    listed = sorted(path.name for path in (tmp_path / "reward").iterdir())
    assert listed == ["files.json", "reward_model.json"]
    info = read_json(tmp_path / "reward/reward_model.json")
    assert "holds no pairs to train a reward model on" in info["none"]


def test_the_stage_writes_what_it_took(tiny_model: Path, tmp_path: Path) -> None:
    write_frame(tmp_path / "pairs.parquet", pairs_of(40), PREFERENCES)
    params = PARAMS.model_copy(update={"epochs": 1})
    make_reward_model(params, tiny_model, tmp_path / "pairs.parquet", tmp_path / "reward")
    info = read_json(tmp_path / "reward/reward_model.json")
    assert info["source"] == "base"
    assert 0 < info["multiplied_parameters"] < info["parameters"]
    assert kept(tmp_path / "reward")
    assert "seconds" not in info
    assert read_json(tmp_path / "timings/reward/reward_model.json")["seconds"] > 0
    assert set(info["accuracy"]) >= {"all"}


def test_a_folder_is_taken_as_it_is(
    made: tuple[Path, dict[str, Any]], tiny_model: Path, tmp_path: Path
) -> None:
    params = RewardParams(source=str(made[0]))
    make_reward_model(params, tiny_model, tmp_path / "no pairs", tmp_path / "reward")
    message = read_json(tmp_path / "reward/reward_model.json")
    assert message == {"source": str(made[0]), **parameter_counts(made[0])}
    assert kept(tmp_path / "reward")
    assert load_tokenizer(tmp_path / "reward").chat_template


def test_a_model_that_is_not_a_reward_model_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    earlier = tmp_path / "reward"
    earlier.mkdir()
    (earlier / "kept").touch()
    for source, rule in (
        (str(tiny_model), "a model of 2 outputs; a reward model is a sequence classifier"),
        (str(tmp_path / "none"), "no such model folder"),
    ):
        with pytest.raises(InputError, match=rule):
            make_reward_model(RewardParams(source=source), tiny_model, tmp_path / "p", earlier)
        assert [path.name for path in earlier.iterdir()] == ["kept"]


def test_a_base_without_a_template_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    base = Path(shutil.copytree(tiny_model, tmp_path / "base"))
    (base / "chat_template.jinja").unlink()
    with pytest.raises(InputError, match="no chat template; dvc repro base_model"):
        train_reward(base, pairs_of(20), tmp_path / "m", PARAMS)


@pytest.mark.parametrize(
    "change", [{"epochs": 0}, {"learning_rate": 0}, {"max_length": 1}, {"threads": 0}, {"x": 1}]
)
def test_bad_knobs_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RewardParams.model_validate(json.loads(PARAMS.model_dump_json()) | change)
