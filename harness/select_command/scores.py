"""Scores of a user's pool, and the quality made of them."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.files import file_hash
from harness.knobs import all_knobs
from harness.pools.places import locate
from harness.quality import quality_notes, quality_vector
from harness.schemas import PoolRows
from harness.scorers import SCORERS
from harness.scorers.chunks import drop_chunks
from harness.scorers.columns import scorer_code
from harness.scorers.loading import find_model, model_folder_hash
from harness.select_command.cache import cache_folder, texts_hash
from harness.select_command.choices import Choices
from harness.stores import keeping, take_kept

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scores:
    """The instances' ids and a float64 column a score, and what the provenance says of each."""

    frame: "pd.DataFrame"
    cards: dict[str, dict[str, Any]]


def pool_scores(choices: Choices, frame: "pd.DataFrame") -> Scores:
    """Every score that was asked for; those of models are kept in the cache."""
    import pandas as pd

    columns: dict[str, np.ndarray] = {}
    cards: dict[str, dict[str, Any]] = {}
    for name, (scorer, given) in choices.scorers.items():
        params = all_knobs(SCORERS[scorer], given)
        card = {"scorer": scorer, **params}
        if "model" in params:
            card["model_sha256"] = model_folder_hash(
                find_model(params["model"], params.get("revision"))
            )
            columns[name] = _kept(choices.cache, name, card, params, frame)
        else:
            columns[name] = SCORERS[scorer](PoolRows(frame), None, **params)
        if "file" in params:
            card["sha256"] = file_hash(locate(params["file"]))
        cards[name] = card
    return Scores(pd.DataFrame({"id": frame["id"], **columns}), cards)


def _kept(
    cache: Path, name: str, card: dict[str, Any], params: dict[str, Any], frame: "pd.DataFrame"
) -> np.ndarray:
    """A score in the cache, made where it is not there whole."""
    made_of = texts_hash(frame["messages"]), card, scorer_code(card["scorer"])
    with cache_folder(cache, "scores", *made_of) as folder:
        whole = folder / "scores.npy"
        if take_kept(whole):
            log.info("score %s of %s rows found in the cache", name, f"{len(frame):,}")
            return np.load(whole)
        log.info("scoring %s rows: %s (once: it is kept)", f"{len(frame):,}", name)
        values = SCORERS[card["scorer"]](PoolRows(frame), folder, **params)
        with keeping(whole) as temporary:
            np.save(temporary, values)
        drop_chunks(folder)
        return values


def pool_quality(choices: Choices, scores: Scores) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """The quality that was asked for, (n,), and the notes on it.

    InputError names the instance where it is none.
    """
    if choices.quality is None:
        return None, ()
    quality = quality_vector(choices.quality, scores.frame)
    return quality, quality_notes(choices.quality, scores.frame)
