"""What an instance costs: one row, or the tokens that training reads of it."""

import json
from typing import TYPE_CHECKING

import numpy as np

from harness import layout
from harness.progress import progress
from harness.stores import read_sealed

if TYPE_CHECKING:
    import pandas as pd


def row_costs(pool: "pd.DataFrame") -> np.ndarray:
    """One a row: (n,) int64."""
    return np.ones(len(pool), dtype=np.int64)


def token_costs(pool: "pd.DataFrame") -> np.ndarray:
    """Tokens of each conversation, template included, before any cut: (n,) int64."""
    from harness.models import load_tokenizer
    from harness.template import encode, render

    read_sealed(layout.BASE_MODEL, "dvc repro base_model")
    tokenizer = load_tokenizer(layout.BASE_MODEL)
    found: list[int] = []
    for messages in progress(pool["messages"], "tokens", len(pool)):
        found.append(len(encode(tokenizer, [render(tokenizer, json.loads(messages))])[0]))
    return np.array(found, dtype=np.int64)


COSTS = {"rows": row_costs, "tokens": token_costs}
