"""The alpaca_cpu preset on the real files."""

from pathlib import Path

import pytest

from harness.common.schemas import HELDOUT, POOL, PRETRAINING, check_frame
from harness.params.params import load_params
from harness.params.source import Source
from harness.pools.duplicates import find_duplicates
from harness.pools.instances import read_instances
from harness.pools.prepare import Prepared, prepare
from harness.pools.sources import load
from tests.helpers.naive_duplicates import every_pair
from tests.helpers.presets import preset_file

ROOT = Path(__file__).resolve().parents[2]


pytestmark = pytest.mark.usefixtures("real_data")


@pytest.fixture(scope="module")
def made(real_data: None) -> Prepared:
    """The preset, prepared once."""
    return prepare(load_params(preset_file("alpaca_cpu")))


def test_the_preset_cuts_what_it_says(made: Prepared) -> None:
    assert len(made.pool) == 8525
    counts = made.heldout["source"].value_counts().to_dict()
    assert counts == {
        **{"alpaca": 500, "code_alpaca": 500, "gsm8k": 500},
        **{"validation_alpaca": 200, "validation_code_alpaca": 200, "validation_gsm8k": 200},
    }
    source = made.card["sources"]["alpaca_random"]
    assert (source["rows_read"], source["rows_kept"]) == (17961, 9225)
    assert made.card["sources"]["code_alpaca"]["rows_dropped"] == {"blank response": 2}
    assert {name: len(items) for name, items in made.benchmarks.items()} == {
        "gsm8k": 100,
        "gsm8k_shots": 5,
        "arc_challenge": 100,
        "arc_challenge_shots": 25,
    }
    for items in made.benchmarks.values():
        assert len({item["id"] for item in items}) == len(items)
    for frame, table in (
        (made.pool, POOL),
        (made.heldout, HELDOUT),
        (made.pretraining, PRETRAINING),
    ):
        check_frame(frame, table, "alpaca_cpu")


def test_the_base_text_holds_no_row_of_the_pool_or_held_out(made: Prepared) -> None:
    base = set(made.pretraining["text"])
    for frame in (made.pool, made.heldout):
        assert not base & set(frame["prompt"] + "\n\n" + frame["response"])
    for part in made.card["pretraining"].values():
        assert part["rows"] == part["rows_cut"] - part["rows_removed_for_overlap"]
    assert made.card["pretraining"]["alpaca"]["rows_cut"] == 17961 - 9225
    assert made.card["pretraining"]["gsm8k"]["rows_cut"] == 7473 - 700
    assert sum(p["rows"] for p in made.card["pretraining"].values()) == len(made.pretraining)
    of_pool = made.heldout["source"].isin(["alpaca", "validation_alpaca"])
    held = set(made.heldout.loc[of_pool, "row"])
    assert len(held) == 700
    assert not held & set(made.pool["row"])
    assert len(held | set(made.pool["row"])) == 9225


def test_duplicates_of_real_rows_equal_a_comparison_of_all_pairs() -> None:
    loaded = load(Source(path="shared:pools/gpteacher_codegen.jsonl.gz"))
    texts = [i.text for i in read_instances(loaded, {}, "error").kept[:400]]
    # Real copies with a word changed, since the rows themselves hold few.
    texts += [text.replace(" the ", " a ", 1) for text in texts[:60]]
    result = find_duplicates(texts, 0.8)
    exact, near = every_pair(texts, 0.8)
    assert (result.exact.tolist(), result.near.tolist()) == (exact, near)
    assert sum(i >= 0 for i in near) > 20
