"""A journal of rounds over tiny models."""

from pathlib import Path

from harness.params.judge import JudgeParams
from harness.params.params import Params
from harness.params.rounds import RoundsParams
from harness.params.training import TrainParams
from harness.rounds.journal import Recipe, ScratchJournal
from tests.helpers.scored_rows import POOL

READ = {"batch_size": 4, "max_length": 128, "threads": 1, "device": "cpu", "seed": 3}


def journal(folder: Path, **how: object) -> ScratchJournal:
    params = Params.model_construct(
        train=TrainParams(epochs=2, max_length=128),
        rounds=RoundsParams(batch_size=4, max_length=128, device="cpu", **how),  # pyright: ignore
        judge=JudgeParams(model="judge"),
        template="alpaca_short",
    )
    recipe = Recipe("some", 3, params, folder / "judge.jsonl")
    return ScratchJournal(folder, POOL, recipe)
