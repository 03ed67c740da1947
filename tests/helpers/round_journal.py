"""A journal of rounds over tiny models."""

from pathlib import Path

from harness.params.judge import JudgeParams
from harness.params.params import Params
from harness.params.rounds import RoundsParams
from harness.params.training import LoraParams, TrainParams
from harness.rounds.journal import Recipe, ScratchJournal
from tests.helpers.scored_rows import POOL

READ = {"batch_size": 4, "max_length": 128, "threads": 1, "device": "cpu", "seed": 3}


def journal(
    folder: Path, lora: LoraParams | None = None, keep: str = "full", **how: object
) -> ScratchJournal:
    recipe = {"epochs": 2, "max_length": 128, "lora": lora, "keep_models": keep}
    params = Params.model_construct(
        train=TrainParams.model_validate(recipe),
        rounds=RoundsParams(batch_size=4, max_length=128, device="cpu", **how),  # pyright: ignore
        judge=JudgeParams(model="judge"),
        template="alpaca_short",
    )
    run = Recipe("some", 3, params, folder / "judge.jsonl")
    return ScratchJournal(folder, POOL, run)
