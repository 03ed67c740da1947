"""Which learning rate and epochs suit a preset, by random subsets and rows that no table reports.

    dvc repro base_model && python -m scripts.choose_recipe --rates 3e-5 1e-4 --epochs 1 3

Writes results/<preset>/recipe/table.md. A killed sweep goes on where it stopped.
"""

import argparse
import logging
import sys
from itertools import product
from pathlib import Path

from harness.common import layout
from harness.common.disk_errors import ending_in_one_line
from harness.common.files import replacing_folder
from harness.params.params import load_params
from harness.params.pruning import RECIPE
from harness.recipe.sweep import Point, Recipe, best, sweep
from pipeline.code import code_hash

PAGE = """\
# The recipe of `{preset}`: learning rate and epochs

Random subsets of {budget}, trained from the base model ({base}) by the recipe of `train` but for
the learning rate and the epochs, and judged by response bits per byte (lower is better) on held-out
rows that no table reports, before any selection system was compared. Seeds: {seeds}, none of them a
table's. Made by `python -m scripts.choose_recipe {words}`.

{table}

{verdict}
"""


def page(points: list[Point], preset: str, budget: str, base: str, words: str) -> str:
    """The table of a sweep, its best recipe in bold, and what it says."""
    names = list(points[0].parts)
    heads = ["learning rate", "epochs", "all", "against the base model"]
    heads += [name.removeprefix("validation_") for name in names]
    rows = []
    chosen = best(points)
    for point in points:
        rate, epochs = point.recipe or ("none", "–")
        gap = (
            "–" if point.recipe is None else f"{point.mean - points[0].mean:+.4f}".replace("-", "−")
        )
        mean = f"**{point.mean:.4f}**" if point is chosen else f"{point.mean:.4f}"
        parts = [f"{sum(point.parts[n]) / len(point.parts[n]):.4f}" for n in names]
        rows.append([f"{rate:g}" if point.recipe else rate, epochs, mean, gap, *parts])
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1), *rows]
    table = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
    return PAGE.format(
        preset=preset,
        budget=budget,
        base=base,
        words=words,
        seeds=len(chosen.whole),
        table=table,
        verdict=verdict(points),
    )


def verdict(points: list[Point]) -> str:
    """Whether training on random rows helps at all, in a sentence, with the params to set."""
    chosen, base = best(points), points[0]
    assert chosen.recipe is not None
    rate, epochs = chosen.recipe
    params = f"`train: {{learning_rate: {rate:g}, epochs: {epochs}}}`"
    better = sum(value < base.mean for value in chosen.whole)
    runs = f"{better} of {len(chosen.whole)} runs are below the base model"
    if chosen.mean < base.mean:
        gain = f"{base.mean - chosen.mean:.4f} bits per byte below the base model"
        return f"Best: {params}, {gain}; {runs}."
    return (
        f"No recipe improves on the base model: the best, {params}, is "
        f"{chosen.mean - base.mean:.4f} bits per byte above it; {runs}."
    )


def main() -> int:
    """Sweep, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rates", type=float, nargs="+", required=True, help="learning rates")
    parser.add_argument("--epochs", type=int, nargs="+", required=True)
    parser.add_argument("--seeds", type=int, default=2, help="random subsets a recipe (2)")
    args = parser.parse_args()
    if args.seeds < 1:
        parser.error(f"--seeds is {args.seeds}; it is a number from 1")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    params = load_params()
    recipes = [Recipe(*pair) for pair in product(args.rates, args.epochs)]
    points = sweep(params, recipes, args.seeds, code_hash("train") + code_hash("evaluate"))
    budget = params.chosen_by("random").budget
    said = f"{budget:.0%} of the pool" if isinstance(budget, float) else f"{budget:,} rows"
    words = " ".join(sys.argv[1:])
    text = page(points, params.preset, said, params.base_model.source, words)
    with replacing_folder(layout.RESULTS / params.preset / RECIPE) as folder:
        Path(folder / "table.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    with ending_in_one_line():
        sys.exit(main())
