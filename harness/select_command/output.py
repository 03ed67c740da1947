"""A subset's provenance, and the checks that --out and --cache can be written."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.common.disk_errors import refusal
from harness.common.errors import InputError, shown
from harness.common.files import file_hash, try_replacing
from harness.common.locations import locate
from harness.params.knobs import all_knobs
from harness.report.shared.provenance import versions
from harness.samplers import SAMPLERS
from harness.scorers import SCORERS
from harness.select_command.choices import Choices
from harness.select_command.pool_file import ENDINGS, UserPool, ending

if TYPE_CHECKING:
    from harness.select_command.inputs import ToolInputs

LONGEST = 100  # characters of the longest path within the cache, folders included
PACKAGES = ("subset-bench", "numba", "numpy", "scipy", "sentence-transformers", "torch")


def check_writable(choices: Choices) -> None:
    """Raise InputError where the subset or the cache cannot be written as asked."""
    with _naming("--out", choices.out):
        _check_out(choices)
    models = any("model" in SCORERS[item.scorer].needs for item in choices.scorers.values())
    if choices.embedding is not None or models:
        with _naming("--cache", choices.cache):
            choices.cache.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix="." * LONGEST, dir=choices.cache)
            os.close(handle)
            Path(name).unlink()


@contextmanager
def _naming(option: str, path: Path) -> Iterator[None]:
    """Turn an error of the file system into an InputError that names option and path."""
    try:
        yield
    except OSError as error:
        why = refusal(error) or f"{error.strerror}; name another place"
        raise InputError(f"{option} {shown(path, 200)}: {why}") from None


def _check_out(choices: Choices) -> None:
    out = choices.out
    if ending(out)[0] not in ENDINGS:
        known = ", ".join(ENDINGS)
        raise InputError(f"--out {out}: needed: a name that ends in {known}, and .gz if wanted")
    if not out.parent.is_dir():
        raise InputError(f"--out {out}: there is no folder {out.parent}; make it first")
    names = [choices.pool, choices.embeddings]
    names += [item.scorer_params.get("file") for item in choices.scorers.values()]
    read = [place for place in map(locate, filter(None, names)) if place.exists()]
    for path in (out, provenance_file(out)):
        if path.is_dir():
            raise InputError(f"--out {out}: {path} is a folder; name a file")
        if path.exists() and any(path.samefile(place) for place in read):
            raise InputError(f"--out {out}: the command reads {path}; name another file")
        # A dangling link exists too: writing would replace it.
        if os.path.lexists(path) and not choices.force:
            raise InputError(f"--out {out}: {path} is there already; --force replaces it")
    for path in (out, provenance_file(out)):
        try_replacing(path)


def provenance_file(out: Path) -> Path:
    """The path of a subset's provenance."""
    return out.with_name(f"{out.name}.provenance.json")


def provenance(
    choices: Choices, pool: UserPool, inputs: "ToolInputs", cost: dict[str, Any], subset: Path
) -> dict[str, Any]:
    """How a subset was made: the same command on the same files gives the same provenance.

    Files and models are named as typed; no time and no path of this machine is recorded. ``cost``
    is `subsets.chosen`'s, ``subset`` the file with the chosen rows.
    """
    return {
        "sampler": choices.sampler,
        "params": all_knobs(SAMPLERS[choices.sampler], choices.params),
        "budget": choices.budget,
        "seed": choices.seed,
        "quality": choices.quality,
        "keep_best": choices.keep_best,
        **inputs.cards,
        "pool": {
            "name": choices.pool,
            **pool.loaded.card,
            "format": pool.instances.format,
            "rows": len(pool.frame),
            "rows_dropped": dict(sorted(pool.instances.dropped.items())),
            "fields_left_out": pool.instances.left_out,
        },
        "subset": {
            "name": choices.out.name,
            "sha256": file_hash(subset),
            "rows": cost["size"],
            "order": "of selection",
        },
        "notes": [*inputs.notes, *cost["notes"]],
        "versions": versions(PACKAGES),
    }
