"""The phases of a round, which train a model and observe it, with files between them.

A phase reads ``task.json`` and ``rows.parquet`` (id, messages) of its folder and writes its results
beside them. ``python -m harness.rounds.phases <phase> <folder>`` runs one in a process of its own.
"""

import argparse
import logging
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from harness.common.disk_errors import ending_in_one_line, naming
from harness.common.files import read_json, write_json
from harness.common.progress import counting
from harness.common.schemas import PoolRows
from harness.common.stores import seal
from harness.launching.ranks import rank

log = logging.getLogger(__name__)

TASK, ROWS, COST = "task.json", "rows.parquet", "cost.json"
Cost = dict[str, float]


def run_phase(phase: str, folder: Path) -> None:
    """Run a phase in its folder, write its ``cost.json`` and seal it.

    Of several processes that share a phase the first writes. Raises InputError for bad input.
    """
    import pandas as pd

    begun = time.perf_counter()
    task = read_json(folder / TASK)
    cost = PHASES[phase](task, PoolRows(pd.read_parquet(folder / ROWS)), folder)
    cost["seconds"] = round(time.perf_counter() - begun, 3)
    if not rank():
        write_json(folder / COST, cost)
        seal(folder)


def _train(task: dict[str, Any], rows: PoolRows, folder: Path) -> Cost:
    from harness.params.training import TrainParams
    from harness.training.sft import train

    params = TrainParams.model_validate(task["params"])
    given, out = list(rows.conversations()), folder / "model"
    adapter = Path(task["adapter"]) if "adapter" in task else None
    made = train(Path(task["base"]), given, out, params, task["seed"], rows.names, adapter)
    write_json(folder / "manifest.json", made)
    return {"tokens_trained": made["tokens"], "flops": made["flops"]}


def _generate(task: dict[str, Any], rows: PoolRows, folder: Path) -> Cost:
    """The trained model's own last answer of each conversation: ``answers.parquet``."""
    import pandas as pd

    from harness.feedback.generating import complete
    from harness.feedback.scoring import prompt_of, reading_flops, trained_model, whole_model

    reader = trained_model(task)
    asked = [prompt_of(one) for one in rows.conversations()]
    with counting("generate", len(asked)) as step:
        completions = complete(
            reader,
            asked,
            max_new_tokens=task["max_new_tokens"],
            temperature=task["temperature"],
            batch_size=task["batch_size"],
            seed=task["seed"],
            names=rows.names,
            step=step,
        )
    if completions.cut.any():
        cut = rows.take(completions.cut).ids
        log.warning(
            "generate: %d of %d prompts are longer than the %d tokens that the model reads less %d "
            "new ones and lose their beginning, %r first",
            *(len(cut), len(rows), reader.most, task["max_new_tokens"], cut[0]),
        )
    table = {"id": rows.ids, "answer": completions.texts, "tokens": completions.tokens}
    frame = pd.DataFrame({**table, "cut": completions.cut, "capped": completions.capped})
    _write(folder / "answers.parquet", frame.to_parquet)
    generated, prompted = int(completions.tokens.sum()), int(completions.prompted.sum())
    return {
        "generated": len(asked),
        "tokens_generated": generated,
        "tokens_prompted": prompted,
        "flops": reading_flops(whole_model(task), prompted + generated),
        "prompts_cut": int(completions.cut.sum()),
        "empty_answers": sum(not text.strip() for text in completions.texts),
    }


def _score(task: dict[str, Any], rows: PoolRows, folder: Path) -> Cost:
    """Scores of eq. 4 for the given and the generated answers: ``scores.npy``, (2, n)."""
    from harness.feedback.scoring import FEEDBACK_SCORERS, given_and_generated

    responses = given_and_generated(rows, Path(task["answers"]))
    scores, cost = FEEDBACK_SCORERS[task["scorer"]](task, responses)
    _write(folder / "scores.npy", lambda path: np.save(path, scores.reshape(2, len(rows))))
    return cost


def _write(file: Path, write: Callable[[Path], object]) -> None:
    """Write a phase's result, which all processes that share it have."""
    if not rank():
        with naming(file) as path:
            write(path)


def _embed(task: dict[str, Any], rows: PoolRows, folder: Path) -> Cost:
    """Each conversation's mean-pooled last hidden state: ``embeddings.npy``, (n, d)."""
    from harness.feedback.hidden_states import mean_pooled

    return _measure(task, rows, folder / "embeddings.npy", "embed", "embedded", mean_pooled)


def _uncertainty(task: dict[str, Any], rows: PoolRows, folder: Path) -> Cost:
    """How uncertain the model is of each given answer: ``uncertainty.npy``, (n,)."""
    from harness.feedback.uncertainty import uncertainty

    name = task["criterion"]
    by = partial(uncertainty, criterion=name)
    return _measure(task, rows, folder / "uncertainty.npy", name, "scored", by)


def _measure(
    task: dict[str, Any],
    rows: PoolRows,
    file: Path,
    name: str,
    count: str,
    measure: Callable[..., tuple[np.ndarray, int, np.ndarray]],
) -> Cost:
    """Write a measure of each text; `count` names it in the cost, `name` in messages."""
    from harness.feedback.scoring import reading_flops, trained_model, whole_model

    reader = trained_model(task)
    with counting(name, len(rows)) as step:
        values, tokens, cut = measure(reader, rows, batch_size=task["batch_size"], step=step)
    _write(file, lambda path: np.save(path, values))
    if cut.any():
        log.warning(
            "%s: %d of %d texts (prompt and response) are longer than the %d tokens that the model "
            "reads and are cut as training cuts, %r first",
            *(name, cut.sum(), len(rows), reader.most, rows.take(cut).ids[0]),
        )
    return {
        count: len(rows),
        f"tokens_{count}": tokens,
        "flops": reading_flops(whole_model(task), tokens),
        "texts_cut": int(cut.sum()),
    }


PHASES: dict[str, Callable[[dict[str, Any], PoolRows, Path], Cost]] = {
    "train": _train,
    "generate": _generate,
    "score": _score,
    "embed": _embed,
    "uncertainty": _uncertainty,
}


def main() -> None:
    """Run one phase in this process; bad input ends it with one line."""
    parser = argparse.ArgumentParser(description="Run one phase of a round in its folder.")
    parser.add_argument("phase", choices=PHASES)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    with ending_in_one_line():
        logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
        logging.getLogger("harness").setLevel(logging.INFO)
        run_phase(given.phase, given.folder)


if __name__ == "__main__":
    main()
