"""Batches of rows of like length, so that little of a batch is padding."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

MOST_TOKENS = 16_384  # of one batch, padding included


def length_batches(
    lengths: Sequence[int], batch_size: int, most_tokens: int = MOST_TOKENS
) -> list[list[int]]:
    """Positions of the rows, longest first, in batches of at most `batch_size` rows.

    A batch holds at most `most_tokens` once padded to its longest row, but one row at least.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    batches: list[list[int]] = []
    for i in order:
        last = batches[-1] if batches else None
        fits = last and len(last) < batch_size and (len(last) + 1) * lengths[last[0]] <= most_tokens
        if last and fits:
            last.append(i)
        else:
            batches.append([i])
    return batches


def padded(rows: Sequence[Sequence[int]], value: int = 0) -> "torch.Tensor":
    """The rows as one tensor, (rows, longest), padded to the right.

    There the earlier positions of a causal model do not see the padding.
    """
    import torch
    from torch.nn.utils.rnn import pad_sequence

    return pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=value)
