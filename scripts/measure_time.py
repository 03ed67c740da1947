"""Where the lab's time goes, in seconds of CPU, by two checkouts in turn: docs/time.md.

    python scripts/measure_time.py [--against ANOTHER_CHECKOUT] [--runs 3]

Run it in a repository that holds the lab's pool, base model and the subsets of `random`. All is
measured on one core, each part in a process of its own; what its children spend counts.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DATA = ("base_models", "benchmarks", "subsets", "pool.parquet", "heldout.parquet")


def imports() -> dict[str, float]:
    """What a stage that trains, and one that evaluates, imports."""
    return {
        f"imports to {what}": _spent(lambda code=code: _python(code))
        for what, code in {
            "train": "import trl.trainer.sft_trainer, transformers.models.llama.modeling_llama",
            "evaluate": "import lm_eval.models.huggingface, lm_eval, datasets;"
            "import transformers.models.llama.modeling_llama",
        }.items()
    }


def training() -> dict[str, float]:
    """One model of `random`, scaled to its ten epochs; and its matrix products alone."""
    import torch

    from harness.common import layout
    from harness.common.schemas import read_pool
    from harness.params.params import load_params
    from harness.selecting.prefixes import cell_subset
    from harness.training.sft import train

    params = load_params()
    torch.set_num_threads(1)
    cell = params.main_cell("random", params.seed_groups[0])
    rows = read_pool().with_ids(cell_subset(params, cell, cell.seeds[0])["id"].tolist())
    messages = list(rows.conversations())

    def run(epochs: int) -> dict[str, Any]:
        wanted = params.train.model_copy(update={"epochs": epochs})
        with tempfile.TemporaryDirectory() as folder:
            made = train(layout.BASE_MODEL, messages, Path(folder) / "model", wanted, 0)
        return made

    tokens = run(1)["tokens"]  # imports, too, and what is done once a process
    one, epochs = _spent(lambda: run(1)), params.train.epochs
    epoch = _spent(lambda: run(2)) - one
    return {
        "train a model": one + (epochs - 1) * epoch,
        "train a model, before and after its steps": one - epoch,
        "floor of training": epochs * tokens * _operations(layout.BASE_MODEL) / _speed(),
    }


def _operations(folder: Path) -> float:
    """Multiplications and additions a token, forward and backward: 6 a weight of its layers."""
    from harness.models.loading import load_model

    weights = load_model(folder).named_parameters()
    return 6.0 * sum(w.numel() for name, w in weights if "layers" in name and w.dim() == 2)


def _speed() -> float:
    """Operations a second of the products of a step: 768 tokens by the model's matrices."""
    import torch

    took = operations = 0.0
    for inner, outer in ((128, 128), (128, 344), (344, 128)):
        a, b = torch.randn(768, inner), torch.randn(inner, outer)
        took += min(_spent(lambda a=a, b=b: [a @ b for _ in range(500)]) for _ in range(5))
        operations += 500 * 2 * 768 * inner * outer
    return operations / took


def evaluation() -> dict[str, float]:
    """The base model on the suite, and its parts."""
    from lm_eval.models.huggingface import HFLM

    from harness.common import layout
    from harness.common.schemas import HELDOUT, read_frame
    from harness.evaluation import code
    from harness.evaluation.evaluate import evaluate
    from harness.params.params import load_params
    from harness.suites import load_suite

    params, names = load_params(), ("likelihood", "generation", "programs")
    parts: dict[str, float] = dict.fromkeys(names, 0.0)
    places = ((HFLM, "_loglikelihood_tokens"), (HFLM, "generate_until"), (code, "run_programs"))
    for part, (owner, name) in zip(parts, places, strict=True):
        _timed(owner, name, parts, part)
    suite, heldout = load_suite(params.evaluate.suite), read_frame(layout.HELDOUT_FILE, HELDOUT)

    def run(limit: int | None = None) -> None:
        wanted = params.evaluate.model_copy(update={"limit": limit})
        evaluate(layout.BASE_MODEL, suite, layout.BENCHMARKS, heldout, wanted, 0)

    run(1)
    parts.update(dict.fromkeys(parts, 0.0))
    whole = _spent(run)
    named = {f"evaluate a model: {part}": seconds for part, seconds in parts.items()}
    return {
        "evaluate a model": whole,
        **named,
        "evaluate a model: rest": whole - sum(parts.values()),
    }


def _timed(owner: object, name: str, parts: dict[str, float], part: str) -> None:
    inner = getattr(owner, name)

    def outer(*args: object, **more: object) -> object:
        kept: list[object] = []
        parts[part] += _spent(lambda: kept.append(inner(*args, **more)))
        return kept[0]

    setattr(owner, name, outer)


def stages() -> dict[str, float]:
    """What DVC adds to a stage, with the lock of this repository: a stage by DVC less without."""
    from pipeline.make.dvc_plan import repro_command

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "clone"
        shutil.copytree(os.environ["CODE"], folder, ignore=shutil.ignore_patterns(".*", "data"))
        shutil.copytree(Path(os.environ["CODE"], ".dvc"), folder / ".dvc", ignore=_no_cache)
        (folder / "data").mkdir()
        shutil.copy("data/pool.parquet", folder / "data")
        for command in (["git", "init", "-q"], ["git", "add", "dvc.yaml"]):
            subprocess.run(command, cwd=folder, check=True)
        forced = [*repro_command("cost_rows")[:-1], "-f", "cost_rows"]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        env = {**os.environ, "PYTHONPATH": str(folder), "PATH": path}

        def run(command: list[str]) -> float:
            how = {"cwd": folder, "env": env, "check": True, "stdout": subprocess.DEVNULL}
            return _spent(lambda: subprocess.run(command, **how))

        run(forced)
        by_dvc = run(forced)
        return {"DVC a stage": by_dvc - run([sys.executable, "-m", "pipeline.cost", "rows"])}


def _no_cache(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name in ("cache", "tmp")]


def _python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


def _spent(function: object) -> float:
    """Seconds of CPU of a call, its children's included."""
    before = _used()
    function()  # pyright: ignore[reportCallIssue]
    return _used() - before


def _used() -> float:
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in both)


PARTS = {f.__name__: f for f in (imports, training, evaluation, stages)}


def measure(part: str, code: Path) -> dict[str, float]:
    """A part's figures by the code of a checkout, in a process of its own."""
    env = {**os.environ, "PYTHONPATH": str(code), "CODE": str(code), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--part", part]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for one in (*DATA, "costs"):
            place = (Path.cwd() / "data" / one, folder / "data" / one)
            (folder / "data").mkdir(exist_ok=True)
            place[1].symlink_to(place[0])
        shutil.copy("params.yaml", folder)
        (folder / "dvc.yaml").write_text("stages: {}\n")
        done = subprocess.run(
            command, cwd=folder, env=env, check=True, stdout=subprocess.PIPE, text=True
        )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--against", type=Path, help="another checkout, measured in turn")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        sys.stdout.write(json.dumps(PARTS[given.part]()) + "\n")
        return
    codes = [*([given.against.resolve()] if given.against else []), ROOT]
    figures: list[dict[str, list[float]]] = [{} for _ in codes]
    for _ in range(given.runs):
        for part in PARTS:
            for code, mine in zip(codes, figures, strict=True):
                for name, seconds in measure(part, code).items():
                    mine.setdefault(name, []).append(seconds)
    heads = ["seconds of CPU", *(["before", "after"] if given.against else ["median"])]
    lines = [f"| {' | '.join(heads)} |", f"|---{'|---:' * (len(heads) - 1)}|"]
    for name in figures[-1]:
        medians = [f"{statistics.median(mine[name]):.2f}" for mine in figures]
        lines.append(f"| {name} | {' | '.join(medians)} |")
    sys.stdout.write("\n".join([*lines, "", f"Medians of {given.runs}."]) + "\n")


if __name__ == "__main__":
    main()
