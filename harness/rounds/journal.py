"""The scratch folder of a run in rounds: each phase runs once, each round is kept as it ends."""

import logging
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from harness.common import layout
from harness.common.files import read_json, remove, replacing_folder, value_hash, write_json
from harness.common.schemas import PoolRows
from harness.common.stores import kept
from harness.params.params import Params
from harness.round_systems.loop import Observed, Round
from harness.rounds.executors import execute
from harness.rounds.phases import COST, ROWS, TASK

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """How a run's phases are done: the selection's name, the seed, and what params.yaml says."""

    name: str
    seed: int
    params: Params
    judge_cache: Path


@dataclass
class ScratchJournal:
    """Keeps phases and rounds in a scratch folder that survives a kill."""

    folder: Path  # this run's, named by the hash of all it depends on
    pool: PoolRows  # the instances (id, messages)
    recipe: Recipe
    # By round: rows, seconds, cost, notes and the system's own numbers. The seconds of a phase are
    # those of the process that ran it, killed or not.
    reports: dict[int, dict[str, Any]] = field(default_factory=dict)
    model: Path = layout.BASE_MODEL  # the last one trained
    number: int = 0  # the round whose phases are asked for
    _in_phases: float = 0.0  # seconds that this process spent on the round's phases
    # The trainings so far, by folder: a dropped model can be made again.
    _trained: dict[Path, tuple[int, np.ndarray, dict[str, Any]]] = field(default_factory=dict)

    def ask(self, number: int) -> Self:
        """The phases of a round."""
        self.number = number
        return self

    def train(self, rows: np.ndarray, epochs: int | None, warm: bool) -> None:
        """Train on instances, from the base model or (``warm``) the last round's.

        Of LoRA an adapter to the base model is kept, whatever `keep_models` is, and goes on warm.
        """
        changed: dict[str, Any] = {"epochs": epochs} if epochs is not None else {}
        last, lora = self.model, self.recipe.params.train.lora is not None
        if lora:
            changed["keep_models"] = "adapter"
        params = self.recipe.params.train.model_copy(update=changed).model_dump()
        base = last if warm and not lora else layout.BASE_MODEL
        task = {"base": str(base), "params": params, "seed": self.recipe.seed}
        if warm and lora and last.parent in self._trained:
            task["adapter"] = str(last)
        self.model = self.phase(self.number, "train", rows, task) / "model"

    def observe(self, phase: str, rows: np.ndarray, **settings: Any) -> Observed:  # noqa: ANN401
        """``answer`` (generate, then score), ``embed`` or ``uncertainty``: arrays by name."""
        how = self.recipe.params.rounds.decisive
        shared = {**how, "model": str(self.model), "seed": self.recipe.seed}
        if self.recipe.params.train.lora is not None:
            shared["base"] = str(layout.BASE_MODEL)
        if phase != "answer":
            folder = self.phase(self.number, phase, rows, {**shared, **settings})
            return {path.stem: np.load(path) for path in folder.glob("*.npy")}
        return self._answer(rows, shared, settings)

    def _answer(
        self, rows: np.ndarray, shared: dict[str, Any], settings: dict[str, Any]
    ) -> Observed:
        """Generate, then score: the model and its scorer need not share a process."""
        recipe, number = self.recipe, self.number
        asking = {name: settings.pop(name) for name in ("max_new_tokens", "temperature")}
        # The draws of answers are independent of other rounds' and of the choices.
        asking["seed"] = int(value_hash([recipe.seed, number, "generate"])[:16], 16)
        answered = self.phase(number, "generate", rows, {**shared, **asking})
        task = {**shared, "answers": str(answered / "answers.parquet"), **settings}
        task["template"] = recipe.params.template
        means: dict[str, Any] = {}
        if settings["scorer"] == "judge":
            judge = recipe.params.judge
            task["judge"] = judge.identity()
            means = {"judge": judge.model_dump(), "judge_cache": str(recipe.judge_cache)}
            means["judged_before"] = [
                str(folder)
                for earlier in range(1, number)
                for folder in self.folder.glob(f"{earlier}_generate_*")
            ]
        scored = self.phase(number, "score", rows, task, means)
        gold, generated = np.load(scored / "scores.npy")
        return {"gold": gold, "generated": generated}

    def ended(self, finished: Round) -> None:
        """Write ``<number>_round.json`` and drop the weights of earlier rounds."""
        name, seed, number = self.recipe.name, self.recipe.seed, finished.number
        cost = self.cost(number)
        own = finished.seconds - self._in_phases
        self._in_phases = 0.0
        # From the counts, as a phase that a resumed run finds done gives no warning.
        empty, notes = cost.get("empty_answers", 0), finished.notes
        if empty:
            share = f"{empty:g} of {cost['generated']:g} answers are empty"
            notes = [f"{share}: the model says nothing, and that is scored", *notes]
        arrays = {k: v for k, v in finished.report.items() if isinstance(v, np.ndarray)}
        self.reports[number] = {
            "round": number,
            "rows": len(finished.picks),
            "seconds": round(own + cost.get("seconds", 0.0), 3),
            "cost": cost,
            "notes": notes,
            **{k: v for k, v in finished.report.items() if k not in arrays},
        }
        ids = self.pool.take(finished.picks).ids
        listed = {k: [x if np.isfinite(x) else None for x in v.tolist()] for k, v in arrays.items()}
        report = {**self.reports[number], "ids": ids, **listed}
        write_json(self.folder / f"{number}_round.json", report)
        for note in notes:
            log.warning("%s, seed %d, round %d: %s", name, seed, number, note)
        log.info("%s, seed %d: round %d took %d instances", name, seed, number, len(ids))
        for earlier in range(1, number):
            for model in self.folder.glob(f"{earlier}_train_*/model"):
                shutil.rmtree(model)

    def cost(self, number: int) -> dict[str, float]:
        """The sum over a round's phases of seconds, tokens and calls."""
        total: dict[str, float] = {}
        for file in sorted(self.folder.glob(f"{number}_*/{COST}")):
            for name, value in read_json(file).items():
                total[name] = round(total.get(name, 0) + value, 6)
        return total

    def answers(self, number: int) -> "pd.DataFrame | None":
        """The model's answers in a round; None if nothing was asked."""
        import pandas as pd

        folders = list(self.folder.glob(f"{number}_generate_*"))
        return pd.read_parquet(folders[0] / "answers.parquet") if folders else None

    def phase(
        self,
        number: int,
        phase: str,
        rows: np.ndarray,
        task: dict[str, Any],
        means: dict[str, Any] | None = None,
    ) -> Path:
        """Run a phase unless its result is kept; its folder.

        A folder's name has the hash of its task and instances; one with a missing or altered file
        is made again. ``means`` go to the phase too but change no result, and so no name.
        """
        ids = self.pool.take(rows).ids
        # Paths relative to the run's folder, so that a moved repository resumes.
        here = f"{self.folder}/"
        asked = {k: v.removeprefix(here) if isinstance(v, str) else v for k, v in task.items()}
        folder = self.folder / f"{number}_{phase}_{value_hash([asked, ids])[:12]}"
        if phase == "train":
            self._trained[folder] = (number, rows, task)
        if kept(folder, dropped="model") is not None:  # weights of ended rounds are dropped
            return folder
        self._make_models(task)
        begun_at = time.perf_counter()
        for other in self.folder.glob(f"{number}_{phase}_*"):
            remove(other)
        how = self.recipe.params.rounds
        with replacing_folder(folder) as begun:
            write_json(begun / TASK, {**task, **(means or {})})
            self.pool.take(rows).frame[["id", "messages"]].to_parquet(begun / ROWS)
            execute(phase, begun, how)
        self._in_phases += time.perf_counter() - begun_at
        return folder

    def _make_models(self, task: dict[str, Any]) -> None:
        """Train again a model that a task reads and an ended round has dropped."""
        for name in ("model", "base", "adapter"):
            model = Path(task.get(name, ""))
            if model.parent in self._trained and not model.is_dir():
                remove(model.parent)
                number, rows, asked = self._trained[model.parent]
                self.phase(number, "train", rows, asked)
