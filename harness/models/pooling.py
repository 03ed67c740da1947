"""A causal model's vector of a text: the mean of its last hidden states."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.models.batches import padded

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def mean_states(model: "PreTrainedModel", rows: Sequence[list[int]]) -> np.ndarray:
    """Mean over each row's tokens of the state after the final norm: (n, d) float32, unscaled."""
    import torch

    with torch.inference_mode():
        ids = padded(rows).to(model.device)
        counts = torch.tensor([len(row) for row in rows], device=model.device)
        states = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
        outside = torch.arange(ids.shape[1], device=model.device) >= counts[:, None]
        total = states.float().masked_fill(outside[:, :, None], 0).sum(dim=1)
        return (total / counts[:, None]).cpu().numpy()
