"""The pool, held-out rows, pretraining text and benchmarks: where each row goes, and the counts."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from harness.common.errors import InputError
from harness.common.schemas import HELDOUT, POOL, PRETRAINING, TRUTH, check_frame
from harness.common.yaml_files import read_yaml
from harness.params.params import load_params
from harness.params.prepare import PrepareParams
from harness.pools.prepare import Prepared, prepare, prepare_section
from harness.pools.sources import source_hash
from harness.suites.items import ItemSource
from tests.helpers.pool_files import as_jsonl
from tests.helpers.presets import preset_file

ROOT = Path(__file__).resolve().parents[2]


def distinct(count: int, name: str = "row") -> list[dict[str, Any]]:
    """Rows that share no run of eight words."""
    return [
        {
            "instruction": " ".join(f"{name}{i}q{j}" for j in range(10)),
            "output": " ".join(f"{name}{i}a{j}" for j in range(10)),
        }
        for i in range(count)
    ]


@pytest.fixture
def own(tmp_path: Path) -> dict[str, Any]:
    """The section of conf/own.yaml, reading a file of 400 rows."""
    as_jsonl(tmp_path / "my.jsonl", distinct(400))
    return read_yaml(preset_file("own"))["prepare"] | {"source": str(tmp_path / "my.jsonl")}


def make(
    section: dict[str, Any],
    data: dict[str, ItemSource] | None = None,
    **changes: Any,  # noqa: ANN401
) -> Prepared:
    made = prepare_section(PrepareParams.model_validate(section | changes), data=data)
    tables = [(made.pool, POOL), (made.heldout, HELDOUT)]
    tables += [(made.truth, TRUTH), (made.pretraining, PRETRAINING)]
    for frame, table in tables:
        check_frame(frame, table, "prepared")
    return made


def test_own_pool_is_cut_in_three(own: dict[str, Any]) -> None:
    made = make(own)
    assert (len(made.heldout), len(made.pretraining), len(made.pool)) == (40, 200, 160)
    texts = made.pool["prompt"] + "\n\n" + made.pool["response"]
    held = made.heldout["prompt"] + "\n\n" + made.heldout["response"]
    assert len({*texts, *held, *made.pretraining["text"]}) == 400
    assert made.heldout["source"].unique().tolist() == ["own"]
    assert made.pool["row"].is_monotonic_increasing
    assert made.pool["id"].tolist() == made.pool["row"].astype(str).tolist()
    assert not len(made.truth)
    assert made.card["pool"]["rows"] == 160
    assert json.loads(json.dumps(made.card)) == made.card


@pytest.mark.parametrize(("rows", "sizes"), [(200, (20, 100, 80)), (6000, (500, 3000, 2500))])
def test_own_shares_are_bounded(
    own: dict[str, Any], tmp_path: Path, rows: int, sizes: tuple[int, ...]
) -> None:
    as_jsonl(
        tmp_path / "my.jsonl", [{"prompt": f"q{i}", "completion": f"a{i}"} for i in range(rows)]
    )
    made = make(own)
    assert (len(made.heldout), len(made.pretraining), len(made.pool)) == sizes


def test_preparing_twice_gives_the_same(own: dict[str, Any]) -> None:
    one, two, other = make(own), make(own), make(own, seed=1)
    pd.testing.assert_frame_equal(one.pool, two.pool)
    pd.testing.assert_frame_equal(one.heldout, two.heldout)
    pd.testing.assert_frame_equal(one.pretraining, two.pretraining)
    assert one.card == two.card
    assert set(other.heldout["row"]) != set(one.heldout["row"])


def test_another_part_moves_no_rows_of_the_first(own: dict[str, Any]) -> None:
    more = [*own["heldout"], {"name": "more", "source": "pool", "rows": 7}]
    one, two = make(own), make(own, heldout=more)
    held = two.heldout[two.heldout["source"] == "own"]
    assert held["id"].tolist() == one.heldout["id"].tolist()
    assert len(two.heldout) == 47


def test_a_part_of_another_source_leaves_the_pools_rows_alone(own: dict[str, Any]) -> None:
    sources = {"same": {"path": own["source"]}}
    made = make(
        own,
        rows=100,
        sources=sources,
        heldout=[{"name": "h", "source": "same", "rows": 30}],
        pretraining=[{"name": "p", "source": "same"}],
    )
    assert (len(made.pool), len(made.heldout), len(made.pretraining)) == (100, 30, 270)
    texts = made.pool["prompt"] + "\n\n" + made.pool["response"]
    held = made.heldout["prompt"] + "\n\n" + made.heldout["response"]
    assert len({*texts, *held, *made.pretraining["text"]}) == 400


def test_overlap_is_counted_and_removed(tmp_path: Path) -> None:
    rows, held, bench = distinct(30), distinct(10, "held"), distinct(5, "bench")
    half = {**rows[3], "output": held[2]["instruction"] + " " + held[2]["output"]}
    question = {"instruction": bench[1]["instruction"], "output": "something else"}
    as_jsonl(tmp_path / "pool.jsonl", [*rows, half, held[4], question])
    as_jsonl(tmp_path / "held.jsonl", held)
    as_jsonl(tmp_path / "base.jsonl", [*distinct(6, "base"), rows[0], held[0], question, bench[2]])
    items = [{"question": b["instruction"], "answer": "4"} for b in bench]
    as_jsonl(tmp_path / "bench.jsonl", items)
    names = ("held", "base")
    section = {
        "source": str(tmp_path / "pool.jsonl"),
        "sources": {name: {"path": str(tmp_path / f"{name}.jsonl")} for name in names},
        "heldout": [{"name": "held", "source": "held"}],
        "pretraining": [{"name": "base", "source": "base"}],
    }
    data = {"bench": ItemSource(path=str(tmp_path / "bench.jsonl"), rows=4)}
    kept, removed = make(section, data), make(section, data, remove_overlap=True)
    assert kept.card["overlap_of_pool"] == removed.card["overlap_of_pool"]
    assert kept.card["overlap_of_pool"] == {
        "heldout/held": {"rows": 2, "equal": 1, "items": 2, "of": 10},
        "benchmark/bench": {"rows": 1, "equal": 1, "items": 1, "of": 4},
    }
    assert (len(kept.pool), len(removed.pool)) == (33, 30)
    assert removed.pool["row"].tolist() == list(range(1, 31))
    assert removed.card["pool_rows_removed_for_overlap"] == 3
    # Of the base text what overlaps is always removed; a row of it may overlap several.
    assert kept.card["pretraining"]["base"]["overlap"] == {
        "heldout/held": 1,
        "benchmark/bench": 2,
        "pool": 2,
    }
    assert kept.card["pretraining"]["base"]["rows_removed_for_overlap"] == 4
    assert len(kept.pretraining) == 6
    assert kept.benchmarks["bench"] == [
        {**item, "id": f"bench_{i}"} for i, item in enumerate(items[:4], 1)
    ]


def test_a_source_has_its_own_rule_for_bad_rows(own: dict[str, Any], tmp_path: Path) -> None:
    as_jsonl(tmp_path / "other.jsonl", [*distinct(3, "o"), {"instruction": "a", "output": ""}])
    other = {"path": str(tmp_path / "other.jsonl"), "on_bad_row": "drop"}
    heldout = [{"name": "h", "source": "other"}]
    made = make(own, sources={"other": other}, heldout=heldout)
    assert made.card["sources"]["other"]["rows_dropped"] == {"blank response": 1}
    with pytest.raises(InputError, match="row 4: blank response; fix the row"):
        make(own, sources={"other": {"path": other["path"]}}, heldout=heldout)


def test_too_small_a_pool_names_the_bound(own: dict[str, Any], tmp_path: Path) -> None:
    as_jsonl(tmp_path / "my.jsonl", distinct(199))
    with pytest.raises(InputError) as caught:
        make(own)
    rule = "valid rows: 199, needed: 200 (prepare.min_rows)"
    assert str(caught.value) == f"{own['source']}: {rule}; give a larger pool"


def test_more_rows_than_there_are_cannot_be_held_out(own: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        make(own, heldout=[{"name": "h", "source": "pool", "rows": 401}])
    rule = "h: 401 rows are to be taken from pool, which has 400 left; ask for fewer"
    assert str(caught.value) == rule
    with pytest.raises(InputError, match=r"no row is left for the pool; cut fewer from it"):
        make(own, heldout=[{"name": "h", "source": "pool", "rows": 400}], pretraining=[])


def test_a_pool_of_copies_leaves_no_base_text(own: dict[str, Any], tmp_path: Path) -> None:
    as_jsonl(tmp_path / "my.jsonl", distinct(1) * 300)
    with pytest.raises(InputError, match="all the base model's text overlaps the pool"):
        make(own, remove_overlap=False)


def test_a_pool_whose_rows_all_overlap_is_refused(own: dict[str, Any], tmp_path: Path) -> None:
    as_jsonl(tmp_path / "my.jsonl", distinct(1) * 300)
    with pytest.raises(InputError, match="every row of the pool overlaps"):
        make(own, pretraining=[])


def test_a_budget_over_the_pool_is_refused(own: dict[str, Any]) -> None:
    params = load_params(preset_file("lab"))
    section = PrepareParams.model_validate(own)
    mine = params.selections["random"]

    def made(budget: int) -> Prepared:
        selections = {"random": mine, "large": mine.model_copy(update={"budget": budget})}
        changes = {"prepare": section, "selections": selections}
        changes |= {"selections_scored": {}, "selections_rounds": {}}
        return prepare(params.model_copy(update=changes))

    assert len(made(160).pool) == 160
    with pytest.raises(InputError) as caught:
        made(161)
    rule = "the budget is 161 rows, the pool has 160; lower `budget` or give a larger pool"
    assert str(caught.value) == f"{own['source']}: {rule}"


def test_a_file_that_is_not_the_one_named_is_refused(own: dict[str, Any]) -> None:
    named: Any = {"source_sha256": source_hash(own["source"])}
    assert named["source_sha256"] == make(own, **named).card["sources"][own["source"]]["sha256"]
    Path(own["source"]).write_text(Path(own["source"]).read_text() + "\n")
    with pytest.raises(InputError, match=r"is not the one that prepare\.source_sha256 names"):
        make(own, **named)
    assert (source_hash("lab"), source_hash("owner/name")) == (None, None)


def test_a_missing_data_folder_is_named(
    own: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARED_DATA", "nowhere/at_all")
    with pytest.raises(InputError) as caught:
        make(own, source="shared:pools/p.jsonl")
    want = "nowhere/at_all: no such data folder; set SHARED_DATA to its path (docs/pools.md)"
    assert str(caught.value) == want


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"heldout": [{"name": "h", "source": "gsm"}]}, "did you mean 'gsm8k'?"),
        ({"heldout": [{"name": "h", "source": "pool"}] * 2}, "the name h is given twice"),
        ({"heldout": [{"name": "a-b", "source": "pool"}]}, "should match pattern"),
        ({"pretraining": [{"name": "h", "source": "pool", "row": 1}]}, "Extra inputs"),
        ({"rows": 0}, "greater than or equal to 1"),
        ({"rows": 1.5}, "less than 1"),
        ({"near_duplicate": 0.5}, "greater than or equal to 0.7"),
        ({"benchmarks": [{"name": "b", "source": "pool"}]}, "the suite names its items"),
    ],
)
def test_a_wrong_section_is_refused(change: dict[str, Any], rule: str) -> None:
    section = {"source": "lab", "sources": {"gsm8k": {"path": "g.jsonl"}}}
    PrepareParams.model_validate(section)
    with pytest.raises(ValidationError) as caught:
        PrepareParams.model_validate(section | change)
    assert rule in str(caught.value)
