"""The cost of an instance: one row, or the tokens that training reads of it."""

import numpy as np

from harness.common import layout
from harness.common.progress import progress
from harness.common.schemas import PoolRows
from harness.common.stores import read_sealed


def token_costs(pool: PoolRows) -> np.ndarray:
    """Tokens of each conversation, template included, uncut: (n,) int64."""
    from harness.models.loading import load_tokenizer
    from harness.models.template import encode, render

    read_sealed(layout.BASE_MODEL, "dvc repro base_model")
    tokenizer = load_tokenizer(layout.BASE_MODEL)
    conversations = progress(pool.conversations(), "tokens", len(pool))
    tokens = [len(encode(tokenizer, [render(tokenizer, one)])[0]) for one in conversations]
    return np.array(tokens, dtype=np.int64)


COSTS = {"rows": lambda pool: np.ones(len(pool), dtype=np.int64), "tokens": token_costs}
