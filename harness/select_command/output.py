"""Where the subset and the cache are to lie, tried before any work is done."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import InputError, shown
from harness.files import try_replacing
from harness.pools.places import locate
from harness.refusals import refusal
from harness.select_command.choices import Choices
from harness.select_command.provenance import provenance_file
from harness.select_command.records import ENDINGS, ending

LONGEST = 100  # signs of the longest path within the cache, folders and all


def check_places(choices: Choices) -> None:
    """Raise InputError where the subset or the cache cannot be written as asked."""
    with _telling("--out", choices.out):
        _check_out(choices)
    if choices.model is not None or any("model" in knobs for _, knobs in choices.scorers.values()):
        with _telling("--cache", choices.cache):
            choices.cache.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix="." * LONGEST, dir=choices.cache)
            os.close(handle)
            Path(name).unlink()


@contextmanager
def _telling(option: str, path: Path) -> Iterator[None]:
    """Tell in one line what the file system has against a path."""
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
    names += [params.get("file") for _, params in choices.scorers.values()]
    read = [place for place in map(locate, filter(None, names)) if place.exists()]
    for path in (out, provenance_file(out)):
        if path.is_dir():
            raise InputError(f"--out {out}: {path} is a folder; name a file")
        if path.exists() and any(path.samefile(place) for place in read):
            raise InputError(f"--out {out}: the command reads {path}; name another file")
        # A link to nothing is there too: writing would replace it.
        if os.path.lexists(path) and not choices.force:
            raise InputError(f"--out {out}: {path} is there already; --force replaces it")
    for path in (out, provenance_file(out)):
        try_replacing(path)
