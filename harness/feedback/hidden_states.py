"""A model's embedding of an instance: its last hidden states, averaged over the tokens."""

import numpy as np

from harness.common.errors import InputError
from harness.common.progress import Step
from harness.common.schemas import PoolRows
from harness.feedback.inference import inferring, not_finite
from harness.launching.ranks import joined, shard, world
from harness.models.batches import length_batches
from harness.models.pooling import mean_states
from harness.models.reader import Reader
from harness.models.template import tokenise_all


def mean_pooled(
    reader: Reader, pool: PoolRows, *, batch_size: int, step: Step = lambda _: None
) -> tuple[np.ndarray, int, np.ndarray]:
    """Mean over all tokens of each conversation of the model's last hidden state: (n, d) float32.

    Also returns how many tokens were read, and which conversations were cut: (n,) bool.

    The space of DiverseEvol (arXiv 2311.08182, section 3: "the output hidden states of M_t after
    average pooling over all token positions"). The state is the one after the final norm; its mean
    is not scaled. Tokens are those that training reads, cut at the end to what the model reads, as
    in training. Batches change a mean by rounding only. `step` receives how many more rows are
    done.

    Raises InputError for a conversation without tokens and for states that are NaN or infinite.
    """
    model, most, names = reader.model, reader.most, pool.names
    whole = tokenise_all(reader.tokenizer, list(pool.conversations()), names)
    rows = [ids[:most] for ids, _ in whole]
    if [] in rows:
        raise InputError(f"{names[rows.index([])]}: its conversation has no token")
    means = np.zeros((len(rows), model.config.get_text_config().hidden_size), dtype=np.float32)
    own = shard(length_batches([len(ids) for ids in rows], batch_size))
    with inferring(model):
        for batch in own:
            pooled = mean_states(model, [rows[i] for i in batch])
            lost = ~np.isfinite(pooled).all(axis=1)
            if lost.any():
                raise not_finite(names[batch[int(np.argmax(lost))]], "hidden states")
            means[batch] = pooled
            step(len(batch) * world())
    means = joined(means, own)
    return means, sum(len(ids) for ids in rows), np.array([len(ids) > most for ids, _ in whole])
