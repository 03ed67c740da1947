"""What the report of subsets says of the benchmarks' items in the pool."""

from pathlib import Path

import pytest

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import read_json, write_json
from harness.params.params import Params
from harness.report.subsets.contamination import read_contamination
from harness.report.subsets.write import write_subset_report
from tests.helpers.by_round_tree import table_after
from tests.helpers.selection_tree import build_tree, describe_all


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.chdir(tmp_path)
    return build_tree(tmp_path)


def test_counts_stand_side_by_side_and_the_nearest_pairs_below(tree: Params) -> None:
    describe_all(tree)
    text = (write_subset_report(tree) / "table.md").read_text(encoding="utf-8")
    (line,) = table_after(text, "## Does the pool hold the benchmarks?")
    assert line["searched for"] == "benchmark/toy"
    assert line["items"] == "40"
    assert (line["overlapping items"], line["overlapping rows"]) == ("1", "2")
    assert (line["near items"], line["near rows"]) == ("3", "5")
    assert line["median similarity"] == "0.43"
    assert "Overlapping, by words: a row that equals an item." in text
    assert "`prepare.remove_overlap: true` removes them" in text
    assert "a cosine similarity of at least 0.8" in text
    assert "What \\| is this?" in text
    assert "Of a text the encoder reads" not in text, "it read all"


def test_texts_that_the_encoder_read_in_part_are_counted(tree: Params) -> None:
    card = read_json(layout.CONTAMINATION_FILE)
    card["reads"]["prompts"]["over"] = 7
    write_json(layout.CONTAMINATION_FILE, card)
    text = (write_subset_report(tree) / "table.md").read_text(encoding="utf-8")
    said = "Of a text the encoder reads 256 tokens: 7 of 120 prompts and 0 of 40 items are longer"
    assert said in text
    del card["reads"]
    write_json(layout.CONTAMINATION_FILE, card)
    with pytest.raises(InputError, match=r"an older version's, .*; dvc repro contamination"):
        read_contamination(tree)


def test_texts_are_left_out_where_a_licence_forbids_them(tree: Params) -> None:
    report = tree.report.model_copy(update={"texts": False})
    result = read_contamination(tree.model_copy(update={"report": report}))
    assert result is not None
    assert result.pairs is None


def test_nothing_to_search_for_has_no_section(tree: Params) -> None:
    write_json(layout.CONTAMINATION_FILE, {"encoder": "m", "similarity": 0.8, "targets": {}})
    assert read_contamination(tree) is None


def test_files_of_two_runs_are_refused(tree: Params) -> None:
    card = read_json(layout.CARD_FILE)
    write_json(layout.CARD_FILE, {**card, "overlap_of_pool": {}})
    with pytest.raises(InputError, match="nothing of benchmark/toy; dvc repro prepare"):
        read_contamination(tree)
