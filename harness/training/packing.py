"""Packing: several rows in one sequence, none of which sees another."""

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.common.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Row = Mapping[str, list[int]]  # input_ids and labels
_READ = 64  # tokens of a row that the check reads
_ROUNDING = 1e-3  # of the logits' deviation; a row that sees another one's tokens moves by far more


def packed(rows: Sequence[Row], length: int) -> list[dict[str, list[int]]]:
    """Rows put into sequences of at most ``length`` tokens, whole: best fit, the longest first.

    A sequence has input_ids, labels and the rows' seq_lengths, from which TRL's collator makes
    positions that begin anew in each row. The first token of a row is never learnt, as nothing of
    that row precedes it. No row may be longer than ``length``.
    """
    packs: list[list[int]] = []
    free: list[tuple[int, int]] = []  # the room left in a pack, and which; sorted
    for i in sorted(range(len(rows)), key=lambda i: -len(rows[i]["input_ids"])):
        size = len(rows[i]["input_ids"])
        at = bisect_left(free, (size, -1))
        room, pack = free.pop(at) if at < len(free) else (length, len(packs))
        if pack == len(packs):
            packs.append([])
        packs[pack].append(i)
        if room > size:
            insort(free, (room - size, pack))
    return [_joined([rows[i] for i in pack]) for pack in packs]


def _joined(rows: list[Row]) -> dict[str, list[int]]:
    return {
        "input_ids": [token for row in rows for token in row["input_ids"]],
        "labels": [label for row in rows for label in (-100, *row["labels"][1:])],
        "seq_lengths": [len(row["input_ids"]) for row in rows],
    }


def check_packing(model: "PreTrainedModel", rows: Sequence[Row]) -> None:
    """Raise InputError unless the model reads a row behind another one as it reads it alone.

    transformers makes such a mask from the positions, but some architectures have no use for
    positions (Bloom), or carry a state along. Reads the beginnings of two rows, in float32.
    """
    import torch

    first, second = (torch.tensor(rows[i]["input_ids"][:_READ]) for i in (0, -1))
    positions = torch.cat([torch.arange(len(first)), torch.arange(len(second))])
    with torch.inference_mode():
        alone = model(second[None], use_cache=False).logits[0]
        both = torch.cat([first, second])
        behind = model(both[None], position_ids=positions[None], use_cache=False).logits[0]
    moved = float((behind[len(first) :] - alone).abs().max() / alone.std())
    if not moved <= _ROUNDING:
        raise InputError(
            f"train.packing: {model.config.model_type} lets packed rows see each other (logits "
            f"move by {moved:.2g} deviations; rounding is under {_ROUNDING:g}); set packing: false"
        )


def use_varlen_attention(model: "PreTrainedModel") -> None:
    """Let FlashAttention, where installed, skip what rows do not see of each other."""
    from transformers.utils import is_flash_attn_2_available

    if is_flash_attn_2_available():
        model.set_attn_implementation("flash_attention_2")
