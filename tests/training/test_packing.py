"""Packing: which rows share a sequence, and that none sees another."""

from pathlib import Path
from typing import Any

import pytest
import torch

from harness.common.errors import InputError
from harness.models.loading import load_model, load_tokenizer
from harness.training.packing import check_packing, packed
from harness.training.sft import encode_rows, train
from tests.helpers.sft_rows import PARAMS, ROWS
from tests.helpers.tiny_causal_models import KINDS, make_model


def rows_of(*lengths: int) -> list[dict[str, list[int]]]:
    """Rows of so many tokens, each with its own number in every place."""
    return [
        {"input_ids": [i + 5] * size, "labels": [i + 5] * size} for i, size in enumerate(lengths)
    ]


def test_packs_by_hand() -> None:
    packs = packed(rows_of(3, 6, 4, 2, 5), 8)
    # 6 opens a pack, 5 a second, 4 a third; 3 fits the second exactly, 2 the first.
    assert [pack["seq_lengths"] for pack in packs] == [[6, 2], [5, 3], [4]]
    assert packs[1]["input_ids"] == [9] * 5 + [5] * 3
    assert packs[1]["labels"] == [-100, *[9] * 4, -100, *[5] * 2]


def test_every_row_is_in_one_pack_whole_and_none_is_too_long() -> None:
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 33, (400,), generator=generator).tolist()
    packs = packed(rows_of(*lengths), 32)
    assert sorted(size for pack in packs for size in pack["seq_lengths"]) == sorted(lengths)
    assert max(len(pack["input_ids"]) for pack in packs) <= 32
    assert len(packs) <= -(-sum(lengths) // 32) * 1.05, "hardly any room is left"
    for pack in packs:
        assert len(pack["input_ids"]) == len(pack["labels"]) == sum(pack["seq_lengths"])


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", KINDS)
def test_models_that_keep_rows_apart_are_distinguished_from_those_that_do_not(
    kind: str, attention: str
) -> None:
    model = make_model(kind, 64)
    if kind != "bloom":
        model.set_attn_implementation(attention)
    rows = rows_of(21, 17)
    if kind == "bloom":
        with pytest.raises(InputError, match=r"packing: bloom lets packed rows .* packing: false"):
            check_packing(model, rows)
    else:
        check_packing(model, rows)


def test_a_model_that_no_longer_masks_by_positions_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As transformers did before it read packed rows off the positions."""
    monkeypatch.setattr("transformers.masking_utils.find_packed_sequence_indices", lambda _: None)
    with pytest.raises(InputError, match="llama lets packed rows see each other"):
        check_packing(make_model("llama", 64), rows_of(21, 17))


@pytest.mark.parametrize("changes", [{}, {"precision": "bf16"}], ids=["ours", "trl"])
def test_packed_loss_equals_unpacked(
    tiny_model: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    """One step over all rows, by either loss, and what it makes of the weights."""
    whole = {"epochs": 1, "batch_size": 12, "group_by_length": False, "warmup": 0.0, **changes}
    plain = PARAMS.model_copy(update=whole)
    infos = []
    for name, params in (("plain", plain), ("packed", plain.model_copy(update={"packing": True}))):
        infos.append(train(tiny_model, ROWS, tmp_path / name, params, seed=0))
    close = 1e-5 if not changes else 2e-3
    assert infos[1]["loss_curve"][0]["loss"] == pytest.approx(
        infos[0]["loss_curve"][0]["loss"], rel=close
    )
    assert infos[0]["tokens"] == infos[1]["tokens"]
    if not changes:
        pairs = zip(
            *(load_model(tmp_path / name).parameters() for name in ("plain", "packed")), strict=True
        )
        for one, other in pairs:
            torch.testing.assert_close(one, other, atol=2e-4, rtol=1e-3)


def test_steps_count_packs(tiny_model: Path, tmp_path: Path) -> None:
    params = PARAMS.model_copy(update={"packing": True, "batch_size": 1})
    rows = encode_rows(load_tokenizer(tiny_model), ROWS, 96)[0]
    packs = len(packed(rows, 96))
    assert packs < len(rows)
    info = train(tiny_model, ROWS, tmp_path / "out", params, seed=0)
    assert info["steps"] == info["whole_steps"] == 2 * packs
    assert info["loss_curve"][-1]["loss"] < info["loss_curve"][0]["loss"]
