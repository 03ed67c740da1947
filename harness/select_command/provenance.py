"""The file beside a subset that says how it was made; no time and no place of its own in it."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness.files import file_hash
from harness.knobs import all_knobs
from harness.samplers import SAMPLERS
from harness.select_command.choices import Choices
from harness.select_command.inputs import Chosen, Inputs
from harness.select_command.pool_file import UserPool

PACKAGES = ("subset-bench", "numba", "numpy", "scipy", "sentence-transformers", "torch")


def provenance_file(out: Path) -> Path:
    """Where the provenance of a subset lies."""
    return out.with_name(f"{out.name}.provenance.json")


def provenance(
    choices: Choices, pool: UserPool, inputs: Inputs, chosen: Chosen, subset: Path
) -> dict[str, Any]:
    """All that made a subset: the same command on the same files gives the same.

    Args:
        choices: the command's; files and models stand here as they were typed.
        pool: what was chosen from.
        inputs: what the system looked at.
        chosen: its choice.
        subset: the file with the chosen rows, for its hash.
    """
    return {
        "sampler": choices.sampler,
        "params": all_knobs(SAMPLERS[choices.sampler], choices.params),
        "budget": choices.budget,
        "seed": choices.seed,
        "quality": choices.quality,
        "scores": inputs.scores.cards,
        "embedding": None if inputs.vectors is None else inputs.vectors.card,
        "clusters": None if inputs.clusters is None else inputs.clusters.card,
        "pool": {
            "name": choices.pool,
            **pool.card,
            "format": pool.format,
            "rows": len(pool.frame),
            "rows_dropped": pool.dropped,
            "fields_left_out": pool.left_out,
        },
        "subset": {
            "name": choices.out.name,
            "sha256": file_hash(subset),
            "rows": len(chosen.picks),
            "order": "of selection",
        },
        "notes": [*inputs.notes, *chosen.notes],
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
