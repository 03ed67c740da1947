"""Batches of rows of similar length, so that little of a batch is padding."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

MOST_TOKENS = 16_384  # of one batch, padding included


def length_batches(
    lengths: Sequence[int], batch_size: int, most_tokens: int = MOST_TOKENS
) -> list[list[int]]:
    """Positions of the rows, longest first, in batches of at most `batch_size` rows.

    A batch has at most `most_tokens` once padded to its longest row, but always one row.
    """
    batches: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        rows = len(batches[-1]) if batches else batch_size
        if rows < batch_size and (rows + 1) * lengths[batches[-1][0]] <= most_tokens:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


def padded(rows: Sequence[Sequence[int]], value: int = 0) -> "torch.Tensor":
    """The rows as one tensor (rows, longest), padded on the right, unseen by a causal model."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    return pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=value)
