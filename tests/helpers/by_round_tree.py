"""Writes what studies of curves read, small: loops whose models are made up, rows, cells."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.clustering.files import read_clustering
from harness.common import layout
from harness.common.files import write_json
from harness.common.schemas import TRUTH, read_frame, read_pool, write_frame
from harness.describing import describe_cell
from harness.embedding.files import VECTORS
from harness.params.judge import JudgeParams
from harness.params.params import Params, load_params
from harness.params.rounds import RoundsParams
from harness.report.shared.tables import BLANK
from harness.round_systems import ROUND_SYSTEMS
from harness.round_systems.loop import run_rounds
from harness.rounds.journal import Recipe, ScratchJournal
from harness.rounds.phases import COST
from harness.rounds.results import publish, write_result
from harness.selecting.quality import read_quality
from harness.selecting.subsets import SamplerInputs, pool_of
from harness.suites import SUITES, load_suite
from tests.helpers.build_runs import write_cell, write_params
from tests.helpers.selection_tree import BUDGET, SMALL, N, build_tree
from tests.helpers.small_repo import further, selection
from tests.helpers.toy_suite import write_toy_suite

K = 6  # clusters that iterative kMQ reads
SIZES = (4, 8, 12)
GROUPS = tuple(SMALL["seed_groups"])
SELECTIONS: dict[str, Any] = {
    "selections": {"random": selection("random", budget=BUDGET)},
    "selections_scored": {
        "kmq": selection("kmq", k=K, budget=BUDGET, quality="sigmoid(judge)"),
    },
    "selections_rounds": {
        "by_reward": selection(
            "kmq_iterative",
            k=K,
            budget=BUDGET,
            quality="sigmoid(judge)",
            scorer="reward_model",
            temperature=0.1,
        ),
        "by_perplexity": selection("kmq_iterative", k=K, budget=BUDGET, quality="sigmoid(judge)"),
        "evolved": selection("diverse_evol", budget=BUDGET, rounds=2, initial=4),
    },
}
TABLE = ["none", "random", "kmq", "full"]
BY_SIZE = {f"{of}_{rows}": {"of": of, "rows": rows} for of in ("random", "kmq") for rows in SIZES}
BY_ROUND = {
    f"{of}_{r}": {"of": of, "rounds": r}
    for of in SELECTIONS["selections_rounds"]
    for r in (1, 2, 3)
}
LISTED = {
    "scorers": [name for name in (*BY_SIZE, *BY_ROUND) if not name.startswith("evolved")],
    "rounds": [name for name in (*BY_SIZE, *BY_ROUND) if name.startswith(("random", "evolved"))],
}


STUDIES = {
    "scorers": {"report": "curves", "title": "Iterative kMQ by round and scorer"},
    "rounds": {"report": "curves", "title": "DiverseEvol by round"},
}


def answer_scores(name: str, seed: int, number: int, rows: np.ndarray) -> np.ndarray:
    """Made-up scores of given and generated responses, (2, n), that change with the round."""
    gold = 0.5 + rows / 1000
    change = {"by_reward": 0.05, "by_perplexity": 0.2}[name]
    return np.array([gold, 0.1 + (rows % 7) / 20 + change * number + seed / 100])


@dataclass
class MadeUp(ScratchJournal):
    """A journal whose phases train and ask nothing, and cost what is made up here."""

    def phase(
        self,
        number: int,
        phase: str,
        rows: np.ndarray,
        task: dict[str, Any],
        means: dict[str, Any] | None = None,
    ) -> Path:
        folder = self.folder / f"{number}_{phase}_made"
        folder.mkdir(parents=True)
        n, seed = len(rows), self.recipe.seed
        cost = {
            "train": {"tokens_trained": 100 * n + seed, "flops": 6e8 * n},
            "generate": {"generated": n, "tokens_generated": 7 * n + seed, "flops": 1e8 * n},
            "score": {"scored": 2 * n, "tokens_scored": 30 * n, "flops": 6e7 * n},
            "embed": {"embedded": n, "tokens_embedded": 20 * n, "flops": 4e7 * n},
        }[phase]
        if phase == "generate":
            table = {"id": self.pool.take(rows).ids, "answer": "a", "tokens": 7, "cut": False}
            pd.DataFrame({**table, "capped": False}).to_parquet(folder / "answers.parquet")
        if phase == "score":
            np.save(folder / "scores.npy", answer_scores(self.recipe.name, seed, number, rows))
        if phase == "embed":
            drawn = np.random.default_rng([seed, number]).normal(size=(n, 5))
            np.save(folder / "embeddings.npy", drawn.astype(np.float32))
        write_json(folder / COST, {**cost, "seconds": 2.0 * number + seed})
        return folder


def copy_of(built: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """A copy of a tree to work in."""
    shutil.copytree(built, folder, dirs_exist_ok=True)
    monkeypatch.chdir(folder)
    monkeypatch.setitem(SUITES, "toy", folder / "suite")
    return load_params()


def build_in(folder: Path, **changes: Any) -> Path:  # noqa: ANN401
    """Build a tree in a folder that is not the working directory; give the folder back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setitem(SUITES, "toy", write_toy_suite(folder / "suite"))
        build_by_round(folder, **changes)
    return folder


def changed(**changes: Any) -> Params:  # noqa: ANN401
    """Write and read the tree's params with some sections replaced."""
    values = {**SMALL, **SELECTIONS, "table": TABLE, "further": listing(LISTED)}
    values |= {"studies": STUDIES}
    return write_params(Path.cwd(), **{**values, "evaluate": {"suite": "toy"}, **changes})


def listing(rows: dict[str, list[str]], groups: tuple[str, ...] = GROUPS) -> dict[str, Any]:
    """Entries of `further`, a cell for each seed group: the rows of each study, by name."""
    parts = {**BY_SIZE, **BY_ROUND}
    return {
        f"{study}_{name}_{group}": further(study, group=group, **parts[name])
        for study, names in rows.items()
        for name in names
        for group in groups
    }


def build_by_round(folder: Path, **changes: Any) -> Params:  # noqa: ANN401
    """Fill ``folder``, which must be the working directory, with both studies by round."""
    tables = {key: SELECTIONS[key] for key in ("selections", "selections_scored")}
    build_tree(folder, **tables, table=TABLE)
    params = changed(**changes)
    _plant(params)
    for name in params.selections_rounds:
        _select(params, name, folder / "scratch")
    for study in params.studies:
        evaluate(params, study)
        describe(params, study)
    return params


def evaluate(params: Params, study: str, *rows: str) -> None:
    """Write what evaluating a study's rows leaves; of these rows alone where some are named."""
    suite = load_suite(params.evaluate.suite)
    for cell in params.cells(study):
        if cell.name in rows or not rows:
            write_cell(params, suite, cell)


def describe(params: Params, study: str) -> None:
    """Describe the cells of a study, again where what they are made of has changed."""
    for cell in params.cells(study):
        describe_cell(params, cell)


def _plant(params: Params) -> None:
    """Faults in all of cluster 0, in two thirds of cluster 1, in every second of cluster 2."""
    labels = read_clustering(layout.cluster_folder("minilm", K), N).labels
    truth = read_frame(layout.TRUTH_FILE, TRUTH)
    if params.preset != "lab":
        return
    noise = np.full(N, "none", dtype=object)
    for cluster, (some, of) in enumerate(((1, 1), (2, 3), (1, 2))):
        rows = np.flatnonzero(labels == cluster)
        noise[rows[np.arange(len(rows)) % of < some]] = "wrong"
    write_frame(layout.TRUTH_FILE, truth.assign(noise=noise).astype("str"), TRUTH)


def _select(params: Params, name: str, scratch: Path) -> None:
    item = params.selections_rounds[name]
    pool = read_pool()
    clustering = read_clustering(layout.cluster_folder("minilm", item.k), N)
    quality, _ = read_quality(item, pool.ids)
    x = np.load(layout.EMBEDDINGS / "minilm" / VECTORS)
    inputs = SamplerInputs(pool, x, clustering, np.ones(N, dtype=np.int64), quality)
    results = []
    for group in params.groups_of(name):
        for seed in params.seeds_of(name, group):
            mine = scratch / name / str(seed)
            changes = {"rounds": RoundsParams(), "judge": JudgeParams(model="none")}
            recipe = Recipe(name, seed, params.model_copy(update=changes), mine)
            journal = MadeUp(mine, pool, recipe)
            system = ROUND_SYSTEMS[item.sampler](**item.sampler_params)
            rounds = run_rounds(system, pool_of(inputs, system.sampler), BUDGET, seed, journal)
            result = mine / "result"
            result.mkdir(parents=True, exist_ok=True)
            write_result(result, rounds, journal, inputs)
            results.append((group, seed, result))
    publish(params, name, results, inputs)


def table_after(text: str, heading: str) -> list[dict[str, str]]:
    """The first table after a heading, a dict a row."""
    lines = text[text.index(heading) :].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


def plain(cell: str) -> float | None:
    """The first number of a cell; None for a dash."""
    first = cell.strip("*").split(" ")[0].removesuffix("%").replace(",", "").replace("−", "-")
    return None if first == BLANK else float(first)


def same(cell: str, value: Any, digits: int, scale: float = 1) -> bool:  # noqa: ANN401
    shown = plain(cell)
    if shown is None:
        return value != value
    return abs(shown - scale * value) <= 0.5001 * 10**-digits
